//! The command `flowhold`: stdout is the result, stderr is for people.

#![forbid(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
