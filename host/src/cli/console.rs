//! What people see: results on stdout, everything else on stderr, colours only on a terminal.

use std::{
    io::{self, IsTerminal, Read, StdoutLock, Write},
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use flowhold::{
    Failure,
    blob::Blob,
    docker::OutputStream,
    failure::{Diagnostic, Severity},
    progress::{Event, Stderr, clean, has_colours},
};
use serde_json::{Value, json};

use super::{Format, exit};

/// Writes a result to stdout. A reader that has gone away (`| head`) has what it wanted.
pub(crate) fn result(bytes: &[u8]) -> Result<ExitCode, Failure> {
    write(bytes).map(|_| ExitCode::SUCCESS)
}

/// Writes to stdout, and says whether anybody can still read it.
fn write(bytes: &[u8]) -> Result<bool, Failure> {
    // Stdout and stderr may lead to the same place.
    Stderr.settle(LAST_WORDS);
    to_stdout(|out| out.write_all(bytes))
}

/// Runs `write` on stdout, and says whether anybody can still read it.
fn to_stdout(write: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<()>) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::of_path("stdout", &error)),
        written => Ok(written.is_ok()),
    }
}

/// Writes a result of any size that is not for people.
pub(crate) fn stream(mut from: impl Read) -> Result<ExitCode, Failure> {
    may_be_binary()?;
    to_stdout(|out| io::copy(&mut from, out).map(|_| ())).map(|_| ExitCode::SUCCESS)
}

fn may_be_binary() -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::input("terminal", "stdout is a terminal, and this is not text")
            .with_help("send it to a file or a program: … > FILE"));
    }
    Ok(())
}

/// Writes a flow's bytes; to a terminal, only text.
pub(crate) fn flow(content: &Blob) -> Result<ExitCode, Failure> {
    // Pickles begin with this byte, and no text does.
    if content.read(0, 1).is_ok_and(|first| *first == [0x80]) {
        may_be_binary()?;
    }
    to_stdout(|out| content.copy_to(out)).map(|_| ExitCode::SUCCESS)
}

/// Writes a result that is text, with a line break at its end.
pub(crate) fn text(text: &str) -> Result<ExitCode, Failure> {
    report(text).map(|_| ExitCode::SUCCESS)
}

/// Writes a result for programs.
pub(crate) fn json(value: &Value) -> Result<ExitCode, Failure> {
    text(&format!("{value:#}"))
}

/// Prints the path of a file that was made.
pub(crate) fn made(path: &Path, format: Format) -> Result<ExitCode, Failure> {
    let path = path.display().to_string();
    match format {
        Format::Human => text(&path),
        Format::Json => json(&json!({ "path": path })),
    }
}

/// Like [`text`], for one result of many: says whether anybody can still read them.
pub(crate) fn report(text: &str) -> Result<bool, Failure> {
    write(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
}

/// Passes on what a flow prints.
pub(crate) fn pass_on(to: OutputStream, bytes: &[u8]) -> io::Result<()> {
    match to {
        OutputStream::Stdout => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        OutputStream::Stderr => io::stderr().lock().write_all(bytes),
    }
}

/// Whether a program reads stderr: then it gets one JSON object per line.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// Makes everything on stderr JSON from now on.
pub(crate) fn tell_programs() {
    FOR_PROGRAMS.store(true, Ordering::Relaxed);
}

/// Writes the event as JSON if a program reads stderr, and says whether it did.
fn told_as_json(event: impl FnOnce() -> Value) -> bool {
    let told = FOR_PROGRAMS.load(Ordering::Relaxed);
    if told {
        line(&event().to_string());
    }
    told
}

fn line(text: &str) {
    // If stderr is closed, nobody is left to tell.
    let _ = Stderr.write_all(format!("{text}\n").as_bytes());
}

/// Tells people something, on stderr.
pub(crate) fn note(text: &str) {
    if !told_as_json(|| json!(Event::Message { text })) {
        line(text);
    }
}

/// Reports a failure, and gives its exit code.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    let Failure { code, field, message, help, .. } = failure;
    if told_as_json(|| json!({ "event": "error", "code": code, "field": field, "message": message, "help": help })) {
        return exit::code(failure);
    }
    let place = failure.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
    let mut lines = format!("{}: {}{place}", paint("error", RED), tidy(&failure.message));
    if let Some(help) = &failure.help {
        lines.push_str(&format!("\n  {}: {}", paint("help", CYAN), tidy(help)));
    }
    line(&lines);
    exit::code(failure)
}

/// Shows diagnostics, with the line of the spec where it is known.
pub(crate) fn show(diagnostics: &[Diagnostic], spec: &str) {
    for diagnostic in diagnostics {
        let (word, colour) = match diagnostic.severity {
            Severity::Error => ("error", RED),
            Severity::Warning => ("warning", YELLOW),
            Severity::Info => ("info", CYAN),
        };
        let Diagnostic { code, field, message, help, .. } = diagnostic;
        if told_as_json(|| {
            json!({ "event": "diagnostic", "code": code, "severity": word, "field": field, "message": message,
                    "help": help, "line": diagnostic.line, "policy": diagnostic.policy })
        }) {
            continue;
        }
        let head = paint(&format!("{word}[{}]", diagnostic.code), colour);
        let number = diagnostic.line.map(|line| format!(":{line}")).unwrap_or_default();
        let field = if diagnostic.field.is_empty() { String::new() } else { format!(" ({})", diagnostic.field) };
        let policy = diagnostic.policy.as_ref().map(|policy| format!(", says {policy}")).unwrap_or_default();
        let place = format!("{spec}{number}{field}{policy}");
        let mut lines = format!("{head}: {}\n  at {}", tidy(&diagnostic.message), tidy(&place));
        if let Some(help) = &diagnostic.help {
            lines.push_str(&format!("\n  {}: {}", paint("help", CYAN), tidy(help)));
        }
        line(&lines);
    }
}

/// How long a reader of stderr may take to read what comes before a result, or before the end of the process.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(5);

const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

fn paint(text: &str, colour: &str) -> String {
    if has_colours(&io::stderr()) { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Keeps line breaks, and nothing else that a terminal would obey: messages quote other people's text.
fn tidy(text: &str) -> String {
    text.split('\n').map(|line| clean(line).into_owned()).collect::<Vec<_>>().join("\n    ")
}
