//! Any lines as the answer of the classic builder, a JSON object each. The reader is the host's own; small modules here
//! replace those that it needs.

use std::{sync::Mutex, time::Instant};

use bollard::models::BuildInfo;

use crate::progress::{Event, Progress, without_passwords};

#[path = "../../../host/src/docker/classic_transcript.rs"]
mod classic_transcript;

#[path = "../../../host/src/docker/step_log.rs"]
mod step_log;

#[path = "../../../host/src/docker/transfer_line.rs"]
mod transfer_line;

#[expect(dead_code, reason = "what people are told to do is not checked here")]
#[path = "../../../host/src/docker/fault.rs"]
mod fault;

mod request_error {
    #[expect(dead_code, reason = "only lines are made up here")]
    pub(crate) enum RequestError {
        Answer { status: u16, message: String },
        Stream(String),
        Cut(String),
        Interrupted,
    }

    impl RequestError {
        pub(crate) fn refusal(self) -> Result<(Option<u16>, String), Self> {
            match self {
                Self::Answer { status, message } => Ok((Some(status), message)),
                Self::Stream(message) => Ok((None, message)),
                other => Err(other),
            }
        }

        pub(crate) fn into_error(self, _: &str, _: &str) -> super::DockerError {
            super::DockerError::BuildCut { step: None }
        }
    }

    pub(crate) fn line_error(error: Option<String>, detail: Option<bollard::models::ErrorDetail>) -> Option<String> {
        error.or(detail.and_then(|detail| detail.message))
    }

    pub(crate) fn words(text: &str) -> String {
        crate::progress::clean(text).into_owned()
    }
}

mod connection {
    pub(crate) fn broken(error: &dyn std::error::Error) -> super::request_error::RequestError {
        super::request_error::RequestError::Cut(error.to_string())
    }
}

#[expect(dead_code, reason = "not all of it is looked at")]
enum DockerError {
    BuildStep {
        step: String,
        instruction: String,
        message: String,
        findings: Vec<String>,
        log: Vec<String>,
        fault: fault::Fault,
    },
    BuildRefused {
        message: String,
        fault: fault::Fault,
    },
    BuildCut {
        step: Option<String>,
    },
}

/// The steps that were reported.
#[derive(Default)]
struct Told(Mutex<Vec<(u32, u32)>>);

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        let mut steps = self.0.lock().expect("one thread");
        let text = match event {
            Event::Step { index, total, name } => {
                steps.push((index, total));
                name
            }
            Event::Cached { index } => {
                assert_eq!(steps.last().map(|(last, _)| *last), Some(index), "no other step is at work");
                ""
            }
            Event::Log { line } => line,
            _ => "",
        };
        assert_eq!(without_passwords(text), text);
    }
}

/// Asserts that a text may be shown on a terminal.
fn shown(text: &str) {
    assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
}

pub(crate) fn check(data: &[u8]) {
    // Other lines never reach the transcript: they end the answer.
    let read = |line: &&[u8]| serde_json::from_slice::<BuildInfo>(line).is_ok();
    let mut lines = data.split(|byte| *byte == b'\n').filter(read);
    let (mut transcript, told, now) =
        (classic_transcript::ClassicTranscript::default(), Told::default(), Instant::now());
    let mut named = false;
    let end = lines.try_for_each(|line| {
        named |=
            serde_json::from_slice::<BuildInfo>(line).is_ok_and(|info| info.aux.is_some_and(|aux| aux.id.is_some()));
        transcript.take(line, now, &told)
    });
    transcript.end(now, &told);
    assert!(transcript.image_id.is_none() || named);
    assert!(!transcript.tagged || transcript.image_id.is_some());
    let steps = told.0.into_inner().expect("one thread");
    assert_eq!(steps.len(), transcript.steps.len());
    for (at, (index, total)) in (1..).zip(&steps) {
        assert!(*index == at && index <= total && *total == steps[0].1, "{steps:?}");
    }
    for step in &transcript.steps {
        shown(&step.name);
        assert!(step.seconds >= 0.0 && (!step.cached || !steps.is_empty()));
    }
    let error = end.err().unwrap_or(request_error::RequestError::Stream(String::new()));
    if let DockerError::BuildStep { instruction, findings, log, .. } = transcript.error(error, "") {
        assert_eq!(Some(&instruction), transcript.steps.last().map(|step| &step.name));
        assert!(log.len() <= 20 && findings.len() <= 20);
        log.iter().chain(&findings).for_each(|line| shown(line));
    }
}
