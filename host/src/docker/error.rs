//! What can go wrong with the daemon, and who can fix it.

use std::{io, time::Duration};

use super::{credentials::CredentialsError, fault::Fault};
use crate::failure::{FailureKind, of_system};

/// Why an operation with the daemon did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    /// The address of the daemon can't be used.
    #[error("the docker address {address:?} can't be used: {reason}")]
    Address { address: String, reason: String },
    /// The docker command line has no such context, or a broken one.
    #[error("the docker context {name:?} can't be used: {reason}")]
    NoContext { name: String, reason: String },
    /// Nothing answers, or what answers is not a docker daemon.
    #[error("no docker daemon at {address}: {reason}")]
    NoDaemon { address: String, reason: String },
    /// A daemon is there, but has no answer now.
    #[error("the docker daemon at {address} did not answer: {reason}")]
    NoAnswer { address: String, reason: String },
    /// The socket is there, but we may not use it.
    #[error("permission denied on the docker socket {address}")]
    SocketDenied { address: String },
    /// The daemon lacks calls that we need.
    #[error("the docker daemon at {address} speaks API {}.{}; {}.{} is needed", .found.0, .found.1, .needed.0, .needed.1)]
    TooOld { address: String, found: (u32, u32), needed: (u32, u32) },
    /// Not a reference to an image.
    #[error("{reference:?} is not an image reference: {reason}")]
    Reference { reference: String, reason: &'static str },
    /// The daemon doesn't have the image.
    #[error("the daemon has no image {reference:?}")]
    NoImage { reference: String },
    /// The base image is for another platform, and the daemon accepted it.
    #[error("{reference:?} is an image for {found}, not for {wanted}")]
    Platform { reference: String, wanted: String, found: String },
    /// A registry did not do what the daemon asked of it.
    #[error("{operation} of {reference:?} failed: {message}")]
    Registry {
        /// `pull`, `push` or `lookup`.
        operation: &'static str,
        reference: String,
        /// The registry's host, for the help line.
        registry: String,
        message: String,
        fault: Fault,
        /// For a failed pull: the daemon has an image of that name.
        present: bool,
    },
    /// The credentials for a registry could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A step of the build failed.
    #[error("step {step} failed: {}", main_part(.instruction, .message, .findings))]
    BuildStep {
        /// Such as `3/9`.
        step: String,
        instruction: String,
        message: String,
        /// The messages of our own checks in the image, without their prefix.
        findings: Vec<String>,
        /// The last lines that the step wrote.
        log: Vec<String>,
        /// What the daemon's words mean; only a `FROM` step speaks to a registry.
        fault: Fault,
    },
    /// The daemon refused the build before its first step.
    #[error("the daemon refused the build: {message}")]
    BuildRefused { message: String, fault: Fault },
    /// The answer stopped before the build's end.
    #[error("the daemon closed the connection before the build ended")]
    BuildCut {
        /// The step that was running, such as `3/9`.
        step: Option<String>,
    },
    /// The daemon has BuildKit, but something before it lets no session through.
    #[error("no session with the daemon at {address}, which BuildKit needs to ask for the build's files: {reason}")]
    NoSession { address: String, reason: String },
    /// The classic builder can't do what is asked.
    #[error("{what} needs BuildKit, and the daemon at {address} has none")]
    NeedsBuildkit { what: &'static str, address: String },
    /// A secret for the build could not be read.
    #[error("the secret {id:?} has no value: {place} {reason}")]
    Secret {
        id: String,
        place: String,
        /// What is wrong there; never the value.
        reason: String,
    },
    /// The build context could not be read to its end.
    #[error("the build context could not be read: {}", of_system(.0))]
    Context(#[source] io::Error),
    /// A container could not be started.
    #[error("a container of {image:?} could not be started: {message}")]
    Start { image: String, message: String },
    /// A container ran longer than allowed; it has been removed.
    #[error("the container of {image:?} did not end within {}", seconds(.after))]
    RunTimeout { image: String, after: Duration },
    /// The container's output could not be passed on; the container has been removed.
    #[error("the output of the container could not be written: {}", of_system(.0))]
    Output(#[source] io::Error),
    /// A path in an image is there, but is not a file.
    #[error("{path:?} in the image {image:?} is {found}, not a file")]
    NotAFile { image: String, path: String, found: String },
    /// A file from an image could not be stored.
    #[error("a file from the image can't be stored: {}", of_system(.0))]
    Save(#[source] io::Error),
    /// The daemon refused.
    #[error("the daemon refused to {operation}: {message}")]
    Refused {
        /// A verb with its object: what the daemon was asked to do.
        operation: &'static str,
        /// The HTTP status, unless it was a success and the refusal came later.
        status: Option<u16>,
        message: String,
    },
    /// The daemon's answer ended in the middle, or made no sense.
    #[error("the daemon was asked to {operation}, and its answer was cut short: {reason}")]
    Cut { operation: &'static str, reason: String },
    /// The daemon took too long to answer.
    #[error("the daemon did not {operation} within {}", seconds(.after))]
    Timeout { operation: &'static str, after: Duration },
    /// The user stopped the operation.
    #[error("interrupted")]
    Interrupted,
}

impl DockerError {
    /// Who can fix it.
    #[must_use]
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Address { .. }
            | Self::NoContext { .. }
            | Self::Reference { .. }
            | Self::NoImage { .. }
            | Self::Platform { .. }
            | Self::Context(_)
            | Self::Secret { .. }
            | Self::Start { .. }
            | Self::NotAFile { .. }
            | Self::Output(_)
            | Self::Save(_) => FailureKind::Input,
            Self::NoDaemon { .. }
            | Self::SocketDenied { .. }
            | Self::TooOld { .. }
            | Self::NeedsBuildkit { .. }
            | Self::NoSession { .. } => FailureKind::Unavailable,
            Self::Registry { fault, .. } | Self::BuildStep { fault, .. } | Self::BuildRefused { fault, .. } => {
                fault.kind()
            }
            Self::Credentials(error) => error.kind(),
            Self::Refused { status: Some(..500), .. } => FailureKind::Input,
            Self::NoAnswer { .. }
            | Self::Refused { .. }
            | Self::BuildCut { .. }
            | Self::RunTimeout { .. }
            | Self::Cut { .. }
            | Self::Timeout { .. } => FailureKind::Retry,
            Self::Interrupted => FailureKind::Interrupted,
        }
    }

    /// What people can do about it, if anything.
    #[must_use]
    pub(crate) fn help(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => {
                "give unix:///path, tcp://host:port or https://host:port, as base_url or in DOCKER_HOST, and the \
                 certificates' folder in DOCKER_CERT_PATH"
                    .to_owned()
            }
            Self::NoContext { .. } => {
                "`docker context ls` lists them; DOCKER_CONTEXT or `docker context use` chose this one; base_url \
                 and DOCKER_HOST take precedence over it"
                    .to_owned()
            }
            Self::NoDaemon { address, .. } if address.starts_with("https://") => {
                "start docker there; ca.pem, cert.pem and key.pem are taken from the folder in DOCKER_CERT_PATH"
                    .to_owned()
            }
            Self::NoDaemon { .. } => "start docker, or say where it is with base_url or DOCKER_HOST".to_owned(),
            Self::SocketDenied { .. } => {
                "add yourself to the group that owns the socket (usually `docker`) and log in \
                                          again, or name another daemon with base_url or DOCKER_HOST"
                    .to_owned()
            }
            Self::TooOld { .. } => "update docker to 17.06 or later".to_owned(),
            Self::NeedsBuildkit { .. } => "use Docker 18.09 or later, without its setting `buildkit` turned off, and \
                                           leave DOCKER_BUILDKIT unset"
                .to_owned(),
            Self::NoSession { .. } => "let whatever stands before the daemon pass on `POST /session`, or use the \
                                       classic builder: DOCKER_BUILDKIT=0"
                .to_owned(),
            Self::Secret { .. } => {
                "set the variable, or write the file; the value itself does not belong in the spec".to_owned()
            }
            Self::NoImage { reference } => format!("build it, or `docker pull {reference}`"),
            Self::Registry { present: true, operation: "pull", fault, .. } if *fault != Fault::DiskFull => {
                "the daemon has an image of that name: set local_image = true to use it without pulling".to_owned()
            }
            Self::Registry { fault, registry, .. } => return fault.help(registry),
            Self::Credentials(error) => return error.help(),
            Self::Platform { wanted, .. } => format!("choose an image that exists for {wanted}, or another platform"),
            Self::BuildStep { message, log, .. } if log.iter().chain([message]).any(|line| lacks_python(line)) => {
                "the base image has no program `python`: use one that has it, such as python:3.11, or add a link to its \
                 python3"
                    .to_owned()
            }
            Self::BuildStep { log, .. } if !log.is_empty() => {
                format!("the last lines of the step:\n    {}", log.join("\n    "))
            }
            Self::BuildRefused { message, .. } if message.contains("not supported by buildkit") => {
                "BuildKit has the networks none, host and default; the classic builder, DOCKER_BUILDKIT=0, has all of the \
                 daemon's"
                    .to_owned()
            }
            Self::BuildStep { fault, .. } | Self::BuildRefused { fault, .. } => return fault.help("the registry"),
            Self::BuildCut { .. } | Self::Cut { .. } | Self::NoAnswer { .. } => {
                "check whether the daemon is still running, then try again".to_owned()
            }
            Self::Start { .. } => "the image must contain the command that is to be run".to_owned(),
            Self::RunTimeout { .. } => "give it more time with --timeout".to_owned(),
            Self::NotAFile { .. } => "name the file itself".to_owned(),
            _ => return None,
        })
    }
}

/// Container runtimes quote the program in their own ways.
fn lacks_python(line: &str) -> bool {
    line.contains("python") && line.contains("executable file") && line.contains("not found in $PATH")
}

/// Our own checks in the image know the cause; the daemon only knows an exit code.
fn main_part(instruction: &str, message: &str, findings: &[String]) -> String {
    if findings.is_empty() { format!("{instruction}: {message}") } else { findings.join("; ") }
}

fn seconds(time: &Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_is_told_in_its_own_words() {
        let failed = |findings: &[&str]| DockerError::BuildStep {
            step: "7/9".to_owned(),
            instruction: "RUN python check.py".to_owned(),
            message: "The command returned a non-zero code: 1".to_owned(),
            findings: findings.iter().map(|&line| line.to_owned()).collect(),
            log: vec!["Traceback".to_owned(), "flowhold: flow 'etl': boom".to_owned()],
            fault: Fault::Invalid,
        };
        assert_eq!(
            failed(&["flow 'etl': boom", "flow 'b': bang"]).to_string(),
            "step 7/9 failed: flow 'etl': boom; flow 'b': bang"
        );
        let plain = failed(&[]);
        assert_eq!(plain.to_string(), "step 7/9 failed: RUN python check.py: The command returned a non-zero code: 1");
        assert_eq!(plain.kind(), FailureKind::Input);
        assert_eq!(plain.help().unwrap(), "the last lines of the step:\n    Traceback\n    flowhold: flow 'etl': boom");
    }

    #[test]
    fn an_image_without_python_is_named() {
        // Heard from Docker 20.10: BuildKit says this in the step's log, the classic builder as its error.
        let exec =
            "runc run failed: unable to start container process: exec: \"python\": executable file not found in $PATH";
        for (message, log) in [("exit code: 1", vec![exec.to_owned()]), (exec, Vec::new())] {
            let (step, instruction) = ("4/4".to_owned(), "RUN [\"python\", \"a.py\"]".to_owned());
            let (message, findings) = (message.to_owned(), Vec::new());
            let error = DockerError::BuildStep { step, instruction, message, findings, log, fault: Fault::Invalid };
            assert!(error.help().unwrap().starts_with("the base image has no program `python`"));
        }
    }

    #[test]
    fn a_pull_that_fails_points_to_the_image_at_hand() {
        let pull = |present, fault| DockerError::Registry {
            operation: "pull",
            reference: "r.example/a:1".to_owned(),
            registry: "r.example".to_owned(),
            message: "no such host".to_owned(),
            fault,
            present,
        };
        assert!(pull(true, Fault::Unreachable).help().unwrap().contains("local_image = true"));
        assert!(pull(true, Fault::DiskFull).help().unwrap().contains("docker system prune"));
        assert!(pull(false, Fault::Unreachable).help().unwrap().contains("check that r.example"));
        assert_eq!(pull(true, Fault::Unreachable).kind(), FailureKind::Unavailable);
    }
}
