//! `flowhold run`: a flow where it is stored.

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use flowhold::{Failure, FailureKind, Host, Session, Storage, docker::GRACE, python::Interpreter};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::{ProgressArguments, console, engine, exit, exit::EndOfFlow, spec_file, store};

const SIGPIPE: i64 = 13;

const INTERRUPTED: &str = "the flow was interrupted";

/// A flow that ends within this time has nothing to clean up.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold run etl                        of the storage.json that `flowhold build` wrote here
  flowhold run etl -f etl/flowhold.toml -e MODE=test --timeout 10m

At its timeout (exit code 75) or Ctrl-C (130) a flow gets SIGINT, as a KeyboardInterrupt, and 10 seconds to clean up. The \
second Ctrl-C kills it, the third ends flowhold at once.")]
pub(crate) struct Arguments {
    /// The flow's name, or its location
    flow: String,
    /// A storage as JSON or a snapshot [default: storage.json beside the spec, else ~/.prefect/flows]
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    storage: Option<PathBuf>,
    /// A directory of flows
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The spec whose storage.json is taken if neither --storage nor --directory is given
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An environment variable for the flow; without a value, it is taken from here. May be given several times
    #[arg(short, long, value_name = "K[=V]", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Stop the flow after this time, such as 30s or 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// The Python that runs flows that are not in an image [default: the spec's, else the active virtual
    /// environment's, else python3]
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
    #[command(flatten)]
    pub(super) progress: ProgressArguments,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        None if !text.is_empty() => match std::env::var(text) {
            Ok(value) => Ok((text.to_owned(), value)),
            Err(_) => Err(format!("it must be NAME=VALUE, or a variable that is set here, and {text} is not")),
        },
        _ => Err("it must be NAME=VALUE, or the NAME of a variable that is set here".to_owned()),
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let end = EndOfFlow::on_signals();
    let docker = engine(arguments.progress.progress, &end.stop).kill(end.kill.clone());
    let host = Host::builder().docker(Arc::new(docker)).build()?;
    let mut session = host.session().await?;
    let storage = open(&mut session, &arguments).await?;
    let (_, location) = store::locate(&mut session, storage, &arguments.flow).await?;
    let running = async {
        match session.kind(storage).await?.as_str() {
            "docker" => session.run_in_image(storage, &location, &arguments.env, arguments.timeout).await,
            _ => here(&mut session, storage, &location, &arguments, &end).await,
        }
    };
    let ended = tokio::select! {
        ended = running => ended,
        never = ask_for_patience(&end) => match never {},
    };
    let code = match ended {
        // The code of a flow that runs here and ends because nobody reads its output any more.
        Err(failure) if failure.code == "nobody-reads" => 128 + SIGPIPE,
        Err(failure) if failure.kind == FailureKind::Interrupted => return Err(exit::interrupted(INTERRUPTED)),
        ended => ended?,
    };
    // Windows has larger codes, and negative ones for programs that crashed.
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// If a flow doesn't end when it is asked to, says what else can be done.
async fn ask_for_patience(end: &EndOfFlow) -> Infallible {
    end.stop.cancelled().await;
    tokio::time::sleep(PATIENCE).await;
    console::note(&format!("the flow has {} seconds to clean up; Ctrl-C again kills it", GRACE.as_secs()));
    std::future::pending().await
}

async fn open(session: &mut Session, arguments: &Arguments) -> Result<Storage, Failure> {
    if let Some(file) = &arguments.storage {
        let storage = store::open_file(session, file).await?;
        store::refuse_foreign_daemon(session, storage, file).await?;
        return Ok(storage);
    }
    if let Some(file) = built(arguments)? {
        let storage = store::open_file(session, &file).await?;
        store::refuse_other_spec(session, storage, arguments.file.as_deref()).await?;
        return Ok(storage);
    }
    if arguments.directory.is_none() && Path::new(spec_file::NAME).is_file() {
        console::note(
            "note: flowhold.toml is not built yet (`flowhold build`); the flow is looked for in ~/.prefect/flows",
        );
    }
    store::open_directory(session, arguments.directory.as_deref()).await
}

/// The storage that was built from a spec, if the arguments mean that one.
fn built(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    if arguments.storage.is_some() || arguments.directory.is_some() {
        return Ok(None);
    }
    let built = spec_file::storage_beside(arguments.file.as_deref())?;
    Ok(Some(built).filter(|built| built.is_file() || arguments.file.is_some()))
}

/// Runs a flow that is in no image, with the user's Python.
async fn here(
    session: &mut Session,
    storage: Storage,
    location: &str,
    arguments: &Arguments,
    end: &EndOfFlow,
) -> Result<i64, Failure> {
    let run = session.python_run(storage, location).await?;
    let interpreter = interpreter(session, arguments).await?;
    let temporary = tempfile::tempdir().map_err(|error| Failure::of_path("a temporary directory", &error))?;
    let path = match &run.path {
        Some(path) => PathBuf::from(path),
        None => {
            let path = temporary.path().join(format!("flow.{}", run.format.name()));
            let write = std::fs::File::create_new(&path).and_then(|file| run.content.copy_to(file));
            write.map_err(|error| Failure::of_path(path.display(), &error))?;
            path
        }
    };
    let program = interpreter.program().display().to_string();
    let no_python = |error: std::io::Error| {
        Failure::new(FailureKind::Unavailable, "no-python", format!("can't run {program}: {error}"))
            .with_help("install Python 3.6 or newer, or name one with --python")
    };
    if end.stop.is_cancelled() {
        return Err(exit::interrupted(INTERRUPTED));
    }
    let mut child = tokio::process::Command::new(interpreter.program())
        .args(["-u", "-c", &run.program])
        .arg(&path)
        .arg(run.format.name())
        .envs(arguments.env.iter().map(|(name, value)| (name, value)))
        .kill_on_drop(true)
        .spawn()
        .map_err(no_python)?;
    let timeout = arguments.timeout.unwrap_or(Duration::MAX);
    let status = tokio::select! {
        status = child.wait() => status.map_err(no_python)?,
        () = tokio::time::sleep(timeout) => {
            stop(&mut child, false, &end.kill).await.map_err(no_python)?;
            let after = humantime::format_duration(timeout);
            return Err(Failure::new(FailureKind::Retry, "timeout", format!("the flow was stopped after {after}"))
                .with_help("give it more time with --timeout"));
        }
        () = end.stop.cancelled() => {
            stop(&mut child, end.is_known_to_all(), &end.kill).await.map_err(no_python)?;
            return Err(exit::interrupted(INTERRUPTED));
        }
    };
    Ok(exit_code(status))
}

/// The Python that the arguments name, else the one that the spec of the storage names.
async fn interpreter(session: &mut Session, arguments: &Arguments) -> Result<Interpreter, Failure> {
    if arguments.python.is_none()
        && built(arguments)?.is_some()
        && let Ok(spec) = spec_file::read(arguments.file.as_deref(), None)
    {
        let named = session.python_of(&spec.text.text).await?;
        return Ok(Interpreter::find(named.as_deref(), &spec.text.folder)?);
    }
    Ok(Interpreter::find(arguments.python.as_deref(), Path::new("."))?)
}

/// Ends a flow as Ctrl-C would, so that it can clean up, and end what it has started itself. A flow that was `told`
/// already gets no second signal, which would interrupt its cleaning up.
async fn stop(child: &mut Child, told: bool, kill: &CancellationToken) -> io::Result<()> {
    if told || tell(child) {
        let ended = tokio::select! {
            biased;
            () = kill.cancelled() => false,
            ended = tokio::time::timeout(GRACE, child.wait()) => ended.is_ok(),
        };
        if ended {
            return Ok(());
        }
    }
    child.kill().await
}

#[cfg(unix)]
fn tell(child: &Child) -> bool {
    let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) else { return false };
    // The flow may have ended by itself.
    rustix::process::kill_process(pid, rustix::process::Signal::INT).is_ok()
}

/// There is no signal that only this process gets.
#[cfg(not(unix))]
fn tell(_: &Child) -> bool {
    false
}

/// The exit code as shells give it: 128 plus the signal, if a signal ended the process.
fn exit_code(status: std::process::ExitStatus) -> i64 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return i64::from(128 + signal);
    }
    status.code().map_or(1, i64::from)
}
