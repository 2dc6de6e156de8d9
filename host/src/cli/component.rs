//! `flowhold component`: the core that this binary runs, for other WebAssembly runtimes.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use flowhold::{Failure, host, policy};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Format, console, exit, output, reading};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold component -o flowhold.wasm       the component, and its digest
  flowhold component --wit > flowhold.wit   its interface, and that of policies
  flowhold component --of target/wasm32-unknown-unknown/release/deny.wasm -o deny.wasm
                                            a policy out of what cargo and wit-bindgen made")]
pub(crate) struct Arguments {
    /// Where to write the component [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the interface (WIT) instead
    #[arg(long, conflicts_with = "output")]
    wit: bool,
    /// Make a component of a module of your own, such as a policy, instead
    #[arg(long, value_name = "MODULE.wasm", conflicts_with = "wit")]
    of: Option<PathBuf>,
    /// How the digest is printed
    #[arg(long, value_name = "FORMAT", default_value = "human", requires = "output")]
    format: Format,
}

pub(crate) async fn component(arguments: Arguments) -> Result<ExitCode, Failure> {
    let interrupt = exit::on_signal();
    if arguments.wit {
        return exit::until_blocked(&interrupt, "writing the interface", || console::text(host::WIT)).await;
    }
    let component = match arguments.of.clone() {
        Some(module) => {
            Cow::Owned(exit::until_blocked(&interrupt, "reading the module", move || component_of(&module)).await?)
        }
        None => Cow::Borrowed(host::COMPONENT),
    };
    let path = arguments.output.clone();
    output::written(&interrupt, "writing the component", path.as_deref(), move || write(&arguments, &component)).await
}

fn write(arguments: &Arguments, component: &[u8]) -> Result<ExitCode, Failure> {
    let Some(path) = arguments.output.as_ref().filter(|path| !output::is_stdout(path)) else {
        return console::stream(component);
    };
    output::may_write(path, "WebAssembly file", |bytes| bytes.starts_with(b"\0asm"))?;
    output::write(path, component)?;
    let digest = format!("sha256:{:x}", Sha256::digest(component));
    match arguments.format {
        Format::Human => console::text(&digest),
        Format::Json => {
            let (path, size) = (path.display().to_string(), component.len());
            console::json(&json!({ "path": path, "size": size, "digest": digest }))
        }
    }
}

fn component_of(module: &Path) -> Result<Vec<u8>, Failure> {
    policy::component_of(&reading::read_file(module, reading::LARGEST)?).map_err(|failure| {
        Failure { message: format!("{}: {}", module.display(), failure.message), ..failure }
            .with_help("name a module for the WIT world `policy`: `flowhold component --wit` prints it")
    })
}
