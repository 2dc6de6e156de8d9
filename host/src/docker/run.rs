//! Running a command in a container of an image, its output passed on as it comes.

use std::{future::Future, io, sync::Arc, time::Duration};

use bollard::{
    container::{AttachContainerResults, LogOutput},
    errors::Error as Bollard,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        AttachContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions, StopContainerOptionsBuilder,
        WaitContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;

use super::{Daemon, DockerError, container::Container, reference::Reference, request_error::RequestError};
use crate::{capability::ContainerRun, progress::Event};

/// How long a command may take to end after it was told to.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long the last output may be on its way after the command's end.
const LAST_OUTPUT: Duration = Duration::from_secs(10);

/// How long to wait for the rest of a line, so that output of the other stream doesn't get into it.
const PAUSE: Duration = Duration::from_millis(50);

/// The beginning of a line is passed on once it has this many bytes.
const LONG: usize = 64 << 10;

/// How long the daemon may take to kill the command after the grace.
const KILLING: Duration = Duration::from_secs(2);

/// The stream to which output was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum OutputStream {
    Stdout,
    Stderr,
}

/// Takes output as it comes: whole lines, unless the rest of a line is long in coming. It may block; its error ends the
/// run.
pub type Output = Arc<dyn Fn(OutputStream, &[u8]) -> io::Result<()> + Send + Sync>;

impl Daemon {
    /// Runs the command, or the image's own if none is given, and returns its exit code. The container is gone when
    /// this returns, on every path: at the command's end, at its timeout, at an interruption, or when `output` fails.
    /// At a timeout or an interruption, the command is sent SIGINT, has [`GRACE`] to clean up, and then is killed.
    ///
    /// # Errors
    /// If the container can't be started or watched. The command's own failure is an exit code.
    pub(crate) async fn run(&self, run: &ContainerRun, output: &Output) -> Result<i64, DockerError> {
        Reference::parse(&run.image)?;
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let body = ContainerCreateBody {
            // As the entrypoint, a command doesn't depend on the image's own.
            entrypoint: some(&run.command),
            env: Some(run.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            stop_signal: Some("SIGINT".to_owned()),
            // Process 1 ignores the signals that it does not handle, so the flow must be another process.
            host_config: Some(HostConfig { init: Some(true), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let container = self.create("run", &run.image, body).await?;
        let end = self.attend(&container, run, output).await;
        if matches!(end, Ok(137)) {
            self.tell_why_killed(&container).await;
        }
        self.remove(container).await;
        end
    }

    /// Waits for the command's end, or ends it at its timeout or an interruption.
    async fn attend(&self, container: &Container, run: &ContainerRun, output: &Output) -> Result<i64, DockerError> {
        let work = self.watch(container, &run.image, output);
        tokio::pin!(work);
        let after = run.timeout_seconds.map_or(Duration::MAX, Duration::from_secs);
        let error = tokio::select! {
            biased;
            () = self.settings.interrupt.cancelled() => DockerError::Interrupted,
            end = &mut work => return end,
            () = tokio::time::sleep(after) => DockerError::RunTimeout { image: run.image.clone(), after },
        };
        self.stop(container, work).await;
        Err(error)
    }

    async fn watch(&self, container: &Container, image: &str, output: &Output) -> Result<i64, DockerError> {
        // Attached before the start, so that none of the command's output is lost.
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = self.ask(self.docker.attach_container(container.id(), Some(options))).await;
        let AttachContainerResults { output: mut written, input: _keep_open } =
            attached.map_err(|error| error.into_error("attach to a container", &self.address))?;
        self.start(container, image).await?;
        let exit = self.exit(container);
        tokio::pin!(exit);
        let mut code = None;
        let mut lines = Lines::default();
        loop {
            tokio::select! {
                biased;
                chunk = written.next() => match chunk {
                    Some(Ok(chunk)) => pass_on(lines.take(chunk), output).await?,
                    Some(Err(error)) => {
                        return Err(RequestError::from(error).into_error("pass on a container's output", &self.address));
                    }
                    None => break,
                },
                ended = &mut exit, if code.is_none() => code = Some(ended?),
                () = tokio::time::sleep(PAUSE), if lines.has_begun() => pass_on(lines.rest(), output).await?,
                () = tokio::time::sleep(LAST_OUTPUT), if code.is_some() => break,
            }
        }
        pass_on(lines.rest(), output).await?;
        match code {
            Some(code) => Ok(code),
            None => exit.await,
        }
    }

    /// Ends the command. What the command prints meanwhile is passed on, if somebody reads it.
    async fn stop(&self, container: &Container, work: impl Future<Output = Result<i64, DockerError>>) {
        let seconds = i32::try_from(GRACE.as_secs()).unwrap_or_default();
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        // The daemon waits for the command, and then kills it. If it doesn't, the container is removed all the same.
        let stopped = async { tokio::join!(self.docker.stop_container(container.id(), Some(options)), work) };
        tokio::select! {
            () = self.settings.kill.cancelled() => {}
            _ = tokio::time::timeout(GRACE + KILLING, stopped) => {}
        }
    }

    async fn start(&self, container: &Container, image: &str) -> Result<(), DockerError> {
        match self.ask(self.docker.start_container(container.id(), None::<StartContainerOptions>)).await {
            Ok(()) => Ok(()),
            Err(RequestError::Answer { message, .. }) => Err(DockerError::Start { image: image.to_owned(), message }),
            Err(error) => Err(error.into_error("start a container", &self.address)),
        }
    }

    /// Waits for the exit code.
    fn exit(&self, container: &Container) -> impl Future<Output = Result<i64, DockerError>> {
        const OPERATION: &str = "wait for a container";
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut answers = self.docker.wait_container(container.id(), Some(options));
        async move {
            match answers.next().await {
                Some(Ok(end)) => {
                    match end.error.and_then(|error| error.message).filter(|message| !message.is_empty()) {
                        Some(message) => Err(RequestError::Stream(message).into_error(OPERATION, &self.address)),
                        None => Ok(end.status_code),
                    }
                }
                // How bollard reports an exit code other than 0.
                Some(Err(Bollard::DockerContainerWaitError { error, code })) if error.is_empty() => Ok(code),
                Some(Err(error)) => Err(RequestError::from(error).into_error(OPERATION, &self.address)),
                None => Err(RequestError::Cut("the daemon closed the connection".to_owned())
                    .into_error(OPERATION, &self.address)),
            }
        }
    }

    async fn tell_why_killed(&self, container: &Container) {
        let state = self.ask(self.docker.inspect_container(container.id(), None::<InspectContainerOptions>)).await;
        let out_of_memory =
            state.ok().and_then(|container| container.state).and_then(|state| state.oom_killed).unwrap_or_default();
        if out_of_memory {
            self.tell(Event::Message { text: "the container was killed because it ran out of memory" });
        }
    }
}

/// The unfinished line of each stream.
#[derive(Default)]
struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Lines {
    /// Takes output, and returns what can be passed on now.
    fn take(&mut self, chunk: LogOutput) -> Vec<(OutputStream, Vec<u8>)> {
        let (stream, begun, bytes) = match chunk {
            LogOutput::StdErr { message } => (OutputStream::Stderr, &mut self.stderr, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                (OutputStream::Stdout, &mut self.stdout, message)
            }
            LogOutput::StdIn { .. } => return Vec::new(),
        };
        let seen = begun.len();
        begun.extend_from_slice(&bytes);
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| seen + at + 1);
        let end = if begun.len() - end > LONG { begun.len() } else { end };
        let rest = begun.split_off(end);
        vec![(stream, std::mem::replace(begun, rest))]
    }

    fn has_begun(&self) -> bool {
        !self.stdout.is_empty() || !self.stderr.is_empty()
    }

    /// Everything that was held back.
    fn rest(&mut self) -> Vec<(OutputStream, Vec<u8>)> {
        vec![
            (OutputStream::Stdout, std::mem::take(&mut self.stdout)),
            (OutputStream::Stderr, std::mem::take(&mut self.stderr)),
        ]
    }
}

async fn pass_on(pieces: Vec<(OutputStream, Vec<u8>)>, output: &Output) -> Result<(), DockerError> {
    for (stream, bytes) in pieces.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let output = Arc::clone(output);
        let passed = tokio::task::spawn_blocking(move || output(stream, &bytes)).await;
        passed.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(DockerError::Output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_passed_on_whole() {
        let mut lines = Lines::default();
        let mut passed = Vec::new();
        let long = "x".repeat(LONG + 1);
        for (is_stderr, text) in [
            (false, "one"),
            (true, "other"),
            (false, " line\nand"),
            (true, " line\n"),
            (false, &long),
            (false, "\n\n"),
            (true, "rest"),
        ] {
            let message = text.as_bytes().to_vec().into();
            let chunk = if is_stderr { LogOutput::StdErr { message } } else { LogOutput::StdOut { message } };
            passed.extend(lines.take(chunk));
        }
        assert!(lines.has_begun());
        passed.extend(lines.rest());
        assert!(!lines.has_begun());
        let text = |(stream, bytes)| (stream == OutputStream::Stderr, String::from_utf8(bytes).unwrap());
        let passed: Vec<_> = passed.into_iter().map(text).filter(|(_, text)| !text.is_empty()).collect();
        let expected = [
            (false, "one line\n".to_owned()),
            (true, "other line\n".to_owned()),
            (false, format!("and{long}")),
            (false, "\n\n".to_owned()),
            (true, "rest".to_owned()),
        ];
        assert_eq!(passed, expected);
    }
}
