//! Progress for programs: one JSON object per line, every event, nothing left out or altered.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::{Event, Progress};

/// Writes each event as one line of JSON.
#[derive(Debug)]
pub struct Json<W> {
    out: Mutex<W>,
}

impl<W: Write + Send> Json<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl<W: Write + Send> Progress for Json<W> {
    fn event(&self, event: Event<'_>) {
        let Ok(mut line) = serde_json::to_vec(&event) else {
            return;
        };
        line.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Operation;
    use super::*;

    #[test]
    fn every_event_is_a_line_with_its_name() {
        let json = Json::new(Vec::new());
        for event in [
            Event::Started { operation: Operation::Push, subject: "a:1" },
            Event::Context { bytes_sent: 7, bytes_total: 9, complete: true },
            Event::Step { index: 1, total: 2, name: "FROM a" },
            Event::Cached { index: 1 },
            Event::Log { line: "two\nlines \u{1b}[0m" },
            Event::Layer { id: "x", status: "Pushing", current: Some(1), total: Some(2) },
            Event::Layer { id: "x", status: "Pushed", current: None, total: None },
            Event::Message { text: "hello" },
            Event::Finished { operation: Operation::Pull, seconds: 0.5 },
            Event::Failed { operation: Operation::Build, seconds: 1.0 },
        ] {
            json.event(event);
        }
        assert_eq!(
            String::from_utf8(json.out.into_inner().unwrap()).unwrap(),
            r#"{"event":"started","operation":"push","subject":"a:1"}
{"event":"context","bytes_sent":7,"bytes_total":9,"complete":true}
{"event":"step","index":1,"total":2,"name":"FROM a"}
{"event":"cached","index":1}
{"event":"log","line":"two\nlines \u001b[0m"}
{"event":"layer","id":"x","status":"Pushing","current":1,"total":2}
{"event":"layer","id":"x","status":"Pushed"}
{"event":"message","text":"hello"}
{"event":"finished","operation":"pull","seconds":0.5}
{"event":"failed","operation":"build","seconds":1.0}
"#
        );
    }
}
