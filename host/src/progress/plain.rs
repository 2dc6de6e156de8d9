//! Progress as lines of text, for logs: one line per event that matters, no percentages.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::{Event, Operation, Progress, clean, layer_is_done, size};

/// Writes a line per event. A line that can't be written is dropped: no build fails because of its log.
#[derive(Debug)]
pub struct Plain<W> {
    out: Mutex<W>,
}

impl<W: Write + Send> Plain<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl<W: Write + Send> Progress for Plain<W> {
    fn event(&self, event: Event<'_>) {
        let Some(line) = line(&event) else { return };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // One write per line, so that lines of two processes don't mix.
        let _ = out.write_all(format!("{}\n", clean(&line)).as_bytes()).and_then(|()| out.flush());
    }
}

/// The event as one line, uncleaned; `None` for an event that only a bar can show.
pub(super) fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Started { operation, subject } => format!("{} {subject}", doing(*operation)),
        Event::Context { complete: false, .. } => return None,
        Event::Context { bytes_sent, bytes_total, .. } if bytes_sent < bytes_total => {
            let (sent, total) = (size(*bytes_sent), size(*bytes_total));
            format!("sent {sent} of the build context's {total}, the daemon had the rest")
        }
        Event::Context { bytes_sent, .. } => format!("sent the build context, {}", size(*bytes_sent)),
        Event::Step { index, total, name } => format!("step {index}/{total}: {name}"),
        Event::Cached { index } => format!("step {index}: found in the cache"),
        Event::Log { line } => format!("    {line}"),
        Event::Layer { id, status, .. } if layer_is_done(status) => format!("{id}: {status}"),
        Event::Layer { .. } => return None,
        Event::Message { text } => (*text).to_owned(),
        Event::Finished { operation, seconds } => format!("{} in {seconds:.1} s", done(*operation)),
        Event::Failed { operation, seconds } => {
            format!("{} failed after {seconds:.1} s", noun(*operation))
        }
    })
}

const fn doing(operation: Operation) -> &'static str {
    match operation {
        Operation::Pull => "pulling",
        Operation::Build => "building",
        Operation::Push => "pushing",
    }
}

const fn done(operation: Operation) -> &'static str {
    match operation {
        Operation::Pull => "pulled",
        Operation::Build => "built",
        Operation::Push => "pushed",
    }
}

const fn noun(operation: Operation) -> &'static str {
    match operation {
        Operation::Pull => "pull",
        Operation::Build => "build",
        Operation::Push => "push",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(events: &[Event<'_>]) -> String {
        let plain = Plain::new(Vec::new());
        for event in events {
            plain.event(event.clone());
        }
        String::from_utf8(plain.out.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn a_build_is_a_line_per_event_that_matters() {
        let text = shown(&[
            Event::Started { operation: Operation::Build, subject: "acme/etl:1" },
            Event::Context { bytes_sent: 1_048_576, bytes_total: 2_500_000, complete: false },
            Event::Context { bytes_sent: 2_500_000, bytes_total: 2_500_000, complete: true },
            Event::Context { bytes_sent: 20_000, bytes_total: 2_500_000, complete: true },
            Event::Step { index: 1, total: 2, name: "FROM python:3.9-slim" },
            Event::Cached { index: 1 },
            Event::Step { index: 2, total: 2, name: "RUN pip install" },
            Event::Log { line: "\u{1b}[91mWARNING\u{1b}[0m: \u{7}root" },
            Event::Finished { operation: Operation::Build, seconds: 3.26 },
        ]);
        assert_eq!(
            text,
            "building acme/etl:1\n\
             sent the build context, 2.5 MB\n\
             sent 20.0 kB of the build context's 2.5 MB, the daemon had the rest\n\
             step 1/2: FROM python:3.9-slim\n\
             step 1: found in the cache\n\
             step 2/2: RUN pip install\n    WARNING: root\n\
             built in 3.3 s\n"
        );
    }

    #[test]
    fn a_layer_is_one_line_however_often_it_moves() {
        let moving = |status, current| Event::Layer { id: "5f70bf18a086", status, current, total: Some(9) };
        let text = shown(&[
            moving("Pushing", Some(1)),
            moving("Pushing", Some(5)),
            moving("Pushed", None),
            Event::Failed { operation: Operation::Push, seconds: 0.04 },
        ]);
        assert_eq!(text, "5f70bf18a086: Pushed\npush failed after 0.0 s\n");
    }

    #[test]
    fn an_output_that_fails_is_tried_again() {
        /// Fails once.
        struct Failing(bool, Vec<u8>);
        impl Write for Failing {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                if !std::mem::replace(&mut self.0, true) {
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
                self.1.write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let plain = Plain::new(Failing(false, Vec::new()));
        plain.event(Event::Message { text: "first" });
        plain.event(Event::Message { text: "second" });
        assert_eq!(plain.out.into_inner().unwrap().1, b"second\n");
    }
}
