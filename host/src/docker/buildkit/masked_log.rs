//! The log of a step, line by line, without secrets: wherever BuildKit cuts it, and however long a line is.

use std::borrow::Cow;

use crate::{
    docker::{
        secrets::Secrets,
        step_log::{LINE_BYTES, StepLog},
    },
    progress::{Progress, clean, without_passwords},
};

/// The log of one vertex.
#[derive(Default)]
pub(super) struct MaskedLog {
    /// The beginning of a line whose end hasn't come.
    line: Vec<u8>,
    log: StepLog,
}

impl MaskedLog {
    /// Takes a piece of what the step writes, cut anywhere.
    pub(super) fn take(&mut self, bytes: &[u8], secrets: &Secrets, progress: &dyn Progress) {
        let held_back = secrets.held_back();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Long lines are taken in pieces, so that a step that writes no line end costs no memory.
            for piece in piece.chunks(LINE_BYTES) {
                self.line.extend_from_slice(piece);
                if self.line.ends_with(b"\n") {
                    self.end_line(secrets, progress);
                } else if self.line.len() >= LINE_BYTES + held_back {
                    self.end_piece(secrets, held_back, progress);
                }
            }
        }
    }

    /// Passes on a line as far as it has come.
    pub(super) fn end_line(&mut self, secrets: &Secrets, progress: &dyn Progress) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = without_secrets(secrets, line.trim_end_matches(['\n', '\r']));
        self.log.take(&line, progress);
    }

    /// Passes on the beginning of a line, masked. Its last bytes are held back, because a secret may begin in them;
    /// they are cut off after masking, so that the cut never goes through a secret.
    fn end_piece(&mut self, secrets: &Secrets, held_back: usize, progress: &dyn Progress) {
        let mut line = std::mem::take(&mut self.line);
        let unfinished = line.split_off(unfinished(&line));
        let line = String::from_utf8_lossy(&line);
        let line = without_secrets(secrets, &line);
        let (told, held) = line.split_at(line.floor_char_boundary(line.len().saturating_sub(held_back)));
        self.log.take(told, progress);
        self.line = [held.as_bytes(), &unfinished].concat();
    }

    /// Takes the log, which is in whole lines, when nothing more will come.
    pub(super) fn end(&mut self) -> StepLog {
        std::mem::take(&mut self.log)
    }
}

/// Where the unfinished character or escape sequence at the end of a line begins.
fn unfinished(line: &[u8]) -> usize {
    let character = line.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    let character = line.len() - character;
    // Anything longer is not an escape sequence.
    let from = line.len().saturating_sub(64);
    let escape = line[from..].iter().rposition(|byte| *byte == 0x1b).map(|at| from + at);
    let parameters = |at: &usize| line[at + 1..].iter().skip(1).all(|byte| (0x20..0x40).contains(byte));
    escape.filter(parameters).map_or(character, |escape| escape.min(character))
}

/// A line as it may be shown.
fn without_secrets<'a>(secrets: &Secrets, line: &'a str) -> Cow<'a, str> {
    if secrets.is_empty() {
        return without_passwords(line);
    }
    // Masked again without control characters, which may have split a secret.
    let shown = clean(&secrets.mask(StepLog::shown(line))).into_owned();
    Cow::Owned(secrets.mask(&shown).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{
        capability::{BuildSecret, SecretSource},
        progress::{Event, Silent},
    };

    /// The lines that were reported.
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Progress for Told {
        fn event(&self, event: Event<'_>) {
            let Event::Log { line } = event else { panic!("{event:?}") };
            self.0.lock().unwrap().push(line.to_owned());
        }
    }

    fn secrets(value: &str) -> Secrets {
        let secret = BuildSecret { id: "secret".to_owned(), source: SecretSource::Env("SECRET".to_owned()) };
        Secrets::read(&[secret], |_| true, |_| Some(value.into())).unwrap()
    }

    /// What is reported of a log that comes in these pieces.
    fn told(pieces: &[&str], secret: &str) -> String {
        let (mut log, secrets, told) = (MaskedLog::default(), secrets(secret), Told::default());
        pieces.iter().for_each(|piece| log.take(piece.as_bytes(), &secrets, &told));
        log.end_line(&secrets, &told);
        told.0.into_inner().unwrap().concat()
    }

    #[test]
    fn a_secret_in_a_long_line_is_masked_wherever_it_lies() {
        for secret in ["hunter2-secret", "häßliches Geheimnis", "x"] {
            for at in (0..2 * LINE_BYTES).step_by(LINE_BYTES).flat_map(|cut| cut.saturating_sub(24)..cut + 24) {
                let text = format!("{}{secret}{}", "-".repeat(at), "+".repeat(2 * LINE_BYTES));
                for cut in [0, LINE_BYTES + 7] {
                    let (one, other) = text.split_at(text.floor_char_boundary(cut));
                    assert_eq!(told(&[one, other], secret), text.replace(secret, "***"), "{at}");
                }
            }
        }
    }

    #[test]
    fn a_long_line_is_not_cut_in_an_escape_sequence() {
        let before = "-".repeat(LINE_BYTES + "hunter2-secret".len());
        for cut in 0.."\u{1b}[1;31m".len() {
            let (one, other) = "\u{1b}[1;31m".split_at(cut);
            let (start, end) = (format!("{before}hunter2{one}"), format!("{other}-secret\n"));
            let told = told(&[&start[start.len() - LINE_BYTES - 13..], &end], "hunter2-secret");
            assert!(!told.contains("hunter2") && told.contains("***"), "{cut}");
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let (mut log, secrets) = (MaskedLog::default(), Secrets::default());
        for _ in 0..10 {
            log.take("x".repeat(LINE_BYTES * 3).as_bytes(), &secrets, &Silent);
        }
        assert!(log.line.len() <= LINE_BYTES);
    }
}
