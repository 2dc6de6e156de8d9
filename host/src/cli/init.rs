//! `flowhold init`

use std::{fs::File, io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use flowhold::Failure;

use super::{Format, console, output, spec_file};

const TEMPLATE: &str = include_str!("template.toml");

#[derive(Args)]
#[command(after_help = "Example:\n  flowhold init && flowhold check")]
pub(crate) struct Arguments {
    /// The directory, made if it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

pub(crate) fn init(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let path = arguments.dir.join(spec_file::NAME);
    let failure = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::input("path-taken", format!("{} exists already", path.display()))
            .with_help("it was left as it is; remove it first, or name another directory"),
        _ => Failure::of_path(path.display(), &error),
    };
    output::make_directory(&arguments.dir).map_err(|error| Failure::of_path(arguments.dir.display(), &error))?;
    let mut file = File::create_new(&path).map_err(failure)?;
    file.write_all(TEMPLATE.as_bytes()).map_err(|error| {
        // Half a spec is useless, and would be in the way of the next try.
        let _ = std::fs::remove_file(&path);
        failure(error)
    })?;
    console::made(&path, arguments.format)
}
