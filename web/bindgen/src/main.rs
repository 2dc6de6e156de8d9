//! `flowhold-bindgen IN.wasm DIR`: writes the JavaScript and the TypeScript types of the web crate's module into DIR.
//!
//! It replaces wasm-bindgen's own command line, whose version must equal the crate's: Cargo.lock decides both here.

#![forbid(unsafe_code)]

use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, directory] = arguments.as_slice() else {
        return fail("usage: flowhold-bindgen IN.wasm DIR");
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    let generated = bindgen
        .input_path(module)
        .out_name("flowhold")
        .bundler(true)
        .and_then(|bindgen| bindgen.typescript(true).remove_name_section(false).generate(directory));
    match generated {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{}: {error:#}", module.display())),
    }
}

#[expect(clippy::print_stderr, reason = "it is a command line")]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
