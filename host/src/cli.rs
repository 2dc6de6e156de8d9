//! The command line: its arguments, and which file carries out which command.

mod build;
mod changes;
mod component;
mod console;
mod dockerfile;
mod exit;
mod flow;
mod image;
mod init;
mod output;
mod planning;
mod reading;
mod run;
mod serialize;
mod spec_file;
mod store;
mod view;
mod watch;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use flowhold::{Engine, Failure, Host, HostBuilder, Sources, progress};
use tokio_util::sync::CancellationToken;

/// Storage for workflow flows, and the most transparent way to turn them into container images.
#[derive(Parser)]
#[command(name = "flowhold", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  flowhold init                        write a commented flowhold.toml
  flowhold preview                     look at the Dockerfile; needs no daemon
  flowhold build                       build what flowhold.toml says, push it if it names a registry
  flowhold run etl -e MODE=test        run the flow etl where it is stored
  flowhold add flows/etl.py:flow       store a flow in ~/.prefect/flows

Exit codes: 0 done; 1 the input is wrong; 2 usage; 69 something needed is unavailable (daemon, registry, Python); \
75 trying again may help; 130 interrupted. `run` passes on the flow's own.";

#[derive(Subcommand)]
enum Command {
    /// Write a commented flowhold.toml
    Init(init::Arguments),
    /// Show what a build would send to the daemon; needs no daemon
    Preview(view::PreviewArguments),
    /// Say what is wrong with a spec, or may be; exit code 1 if anything is an error
    Check(view::CheckArguments),
    /// Build the storage of a spec: store its flows, or build and push its image
    Build(build::Arguments),
    /// Write a complete build context, for plain `docker build DIR`
    Dockerfile(dockerfile::Arguments),
    /// Run a flow where it is stored; its output and exit code are passed through
    Run(run::Arguments),
    /// Store a flow in a local directory, and print its location
    Add(flow::AddArguments),
    /// List flows and their locations
    Ls(flow::LsArguments),
    /// Write a flow's bytes, also out of an image (which is not run)
    Get(flow::GetArguments),
    /// Say whether a flow of that name is stored; exit code 1 if not
    Contains(flow::ContainsArguments),
    /// Turn a spec, a storage as JSON or a snapshot into JSON or a snapshot
    Serialize(serialize::Arguments),
    /// Push the image of a built storage
    Push(image::PushArguments),
    /// Pull the base image of a spec
    Pull(image::PullArguments),
    /// Write the core as a WebAssembly component, for other runtimes
    Component(component::Arguments),
    /// Print completions for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
}

/// How a result is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

impl Command {
    /// How the command shows progress, if it has any.
    fn progress(&self) -> Option<Mode> {
        let arguments = match self {
            Self::Build(arguments) => &arguments.progress,
            Self::Run(arguments) => &arguments.progress,
            Self::Push(arguments) => &arguments.progress,
            Self::Pull(arguments) => &arguments.progress,
            _ => return None,
        };
        Some(arguments.progress)
    }
}

/// Which spec, and which Python pickles its flows.
#[derive(Args, Clone)]
struct SpecArguments {
    /// The spec; `-` reads it from standard input [default: flowhold.toml]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The Python that executes files with objects to pickle [default: the spec's, else the active virtual environment's,
    /// else python3]
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
    /// A component that judges the plan, besides the policies that the spec names; may be given several times
    #[arg(long = "policy", value_name = "POLICY.wasm")]
    policies: Vec<PathBuf>,
}

impl SpecArguments {
    /// A host with the policies of the command line.
    fn host(&self) -> Result<HostBuilder, Failure> {
        self.policies.iter().try_fold(user_host(), |host, path| {
            Ok(host.policy(path.display().to_string(), reading::read_file(path, reading::LARGEST)?))
        })
    }
}

/// How progress is shown on stderr.
#[derive(Args, Clone, Copy)]
struct ProgressArguments {
    /// Bars, lines, one JSON object per line (of warnings and errors, too), or nothing; auto is bars on a terminal and
    /// lines elsewhere
    #[arg(long, value_name = "MODE", default_value = "auto")]
    progress: Mode,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Auto,
    Plain,
    Json,
    None,
}

impl From<Mode> for progress::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Auto => Self::Auto,
            Mode::Plain => Self::Plain,
            Mode::Json => Self::Json,
            Mode::None => Self::None,
        }
    }
}

/// Where flows are.
#[derive(Args, Clone)]
struct StoreArguments {
    /// A storage as JSON or a snapshot, such as the storage.json of a build
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    storage: Option<PathBuf>,
    /// A directory of flows [default: ~/.prefect/flows]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(crate) fn main() -> ExitCode {
    let code = obey(Cli::parse());
    // If nobody reads stderr, the process ends all the same.
    progress::Stderr.settle(console::LAST_WORDS);
    code
}

fn obey(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return console::fail(&Failure::of_path("starting", &error)),
    };
    let code = runtime.block_on(carry_out(cli.command)).unwrap_or_else(|failure| console::fail(&failure));
    // A thread that still reads a file must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

async fn carry_out(command: Command) -> Result<ExitCode, Failure> {
    if let Some(Mode::Json) = command.progress() {
        console::tell_programs();
    }
    match command {
        Command::Init(arguments) => init::init(&arguments),
        Command::Preview(arguments) => view::preview(arguments).await,
        Command::Check(arguments) => view::check(arguments).await,
        Command::Build(arguments) => build::build(arguments).await,
        Command::Dockerfile(arguments) => dockerfile::dockerfile(arguments).await,
        Command::Run(arguments) => run::run(arguments).await,
        Command::Add(arguments) => flow::add(arguments).await,
        Command::Ls(arguments) => flow::ls(arguments).await,
        Command::Get(arguments) => flow::get(arguments).await,
        Command::Contains(arguments) => flow::contains(arguments).await,
        Command::Serialize(arguments) => serialize::serialize(arguments).await,
        Command::Push(arguments) => image::push(arguments).await,
        Command::Pull(arguments) => image::pull(arguments).await,
        Command::Component(arguments) => component::component(arguments).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "flowhold", &mut script);
            console::result(&script)
        }
    }
}

/// A host for the user's own specs, which may name anything that the user may read and run.
fn user_host() -> HostBuilder {
    Host::builder().sources(Sources::All)
}

/// A host with the Docker daemon, and the token that Ctrl-C or SIGTERM cancels.
fn docker_host(host: HostBuilder, mode: Mode) -> Result<(Host, CancellationToken), Failure> {
    let interrupt = exit::on_signal();
    Ok((interruptible(host, mode, &interrupt)?, interrupt))
}

/// A host with the Docker daemon, whose work ends when the token is cancelled.
fn interruptible(host: HostBuilder, mode: Mode, interrupt: &CancellationToken) -> Result<Host, Failure> {
    host.docker(Arc::new(engine(mode, interrupt))).build()
}

fn engine(mode: Mode, interrupt: &CancellationToken) -> Engine {
    let output = Arc::new(|to, bytes: &[u8]| console::pass_on(to, bytes));
    let docker = Engine::new(progress::to_stderr(mode.into()), interrupt.clone(), output);
    // The user's own spec may name any daemon and secret; `store::refuse_foreign_daemon` checks storage files.
    docker.addresses(Arc::new(|_| true)).secrets(Arc::new(|_| true))
}
