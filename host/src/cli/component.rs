//! `flowhold component`: the core that this binary runs, for other WebAssembly runtimes.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use flowhold::{Failure, blob::Blob, host};
use serde_json::json;

use super::{Format, build, console};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold component -o flowhold.wasm       the component, and its digest
  flowhold component --wit > flowhold.wit   its interface")]
pub(crate) struct Arguments {
    /// Where to write the component [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the interface (WIT) instead
    #[arg(long, conflicts_with = "output")]
    wit: bool,
    /// How the digest is printed
    #[arg(long, value_name = "FORMAT", default_value = "human", requires = "output")]
    format: Format,
}

pub(crate) fn component(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.wit {
        return console::text(host::WIT);
    }
    let Some(path) = &arguments.output else { return console::stream(host::COMPONENT) };
    build::write(path, host::COMPONENT)?;
    let component = Blob::in_memory(host::COMPONENT);
    let digest = component.sha256().map_err(|error| Failure::of_path(path.display(), &error))?;
    let digest = digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
    match arguments.format {
        Format::Human => console::text(&digest),
        Format::Json => {
            let size = component.length();
            console::text(&format!("{:#}", json!({ "path": path, "size": size, "digest": digest })))
        }
    }
}
