//! The command `flowhold`: stdout is the result, stderr is for people.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
