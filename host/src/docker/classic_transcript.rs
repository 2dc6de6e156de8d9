//! Reads steps, the image's id and the cause of a failure from the classic builder's answer, line by line: it is text
//! for people.

use std::time::Instant;

use serde::Deserialize;

use super::{
    DockerError,
    connection::broken,
    request_error::RequestError,
    step_log::{LINE_BYTES, StepLog, refused, step_fault},
    transfer_line::Line,
};
use crate::{
    capability::BuildStep,
    progress::{Event, Progress, clean, without_passwords},
};

/// The most steps, because each is kept; no Dockerfile of ours has more.
const STEPS: u32 = 1000;

/// A line of the builder's answer.
#[derive(Deserialize)]
struct BuildLine {
    stream: Option<String>,
    aux: Option<Aux>,
    #[serde(flatten)]
    line: Line,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Aux {
    id: Option<String>,
}

/// What the builder has said so far.
#[derive(Debug, Default)]
pub(super) struct ClassicTranscript {
    pub(super) steps: Vec<BuildStep>,
    total: u32,
    began: Option<Instant>,
    /// The beginning of a line whose end hasn't come.
    line: String,
    log: StepLog,
    /// The step's container, as the builder names it.
    pub(super) container: Option<String>,
    pub(super) image_id: Option<String>,
    /// The daemon said that the image has its name now.
    pub(super) tagged: bool,
}

impl ClassicTranscript {
    pub(super) fn take(&mut self, line: &[u8], now: Instant, progress: &dyn Progress) -> Result<(), RequestError> {
        let BuildLine { stream, aux, mut line } = serde_json::from_slice(line).map_err(|error| broken(&error))?;
        if let Some(text) = stream {
            self.text(&text, now, progress);
        }
        // A `FROM` reports its pull.
        line.tell(progress);
        self.image_id = aux.and_then(|aux| aux.id).or(self.image_id.take());
        line.check()
    }

    fn text(&mut self, text: &str, now: Instant, progress: &dyn Progress) {
        for piece in text.split_inclusive('\n') {
            self.line.push_str(piece);
            if self.line.ends_with('\n') || self.line.len() >= LINE_BYTES {
                let line = std::mem::take(&mut self.line);
                self.whole_line(line.trim_end_matches(['\n', '\r']), now, progress);
            }
        }
    }

    fn whole_line(&mut self, line: &str, now: Instant, progress: &dyn Progress) {
        let line = &*without_passwords(line);
        if let Some((total, name)) = self.next_step(line) {
            self.time_step(now);
            self.log = StepLog::default();
            self.container = None;
            self.total = total;
            self.began = Some(now);
            self.steps.push(BuildStep { name: clean(name).into_owned(), cached: false, seconds: 0.0 });
            progress.event(Event::Step { index: self.index(), total, name });
            return;
        }
        if line.trim() == "---> Using cache" {
            let index = self.index();
            if let Some(step) = self.steps.last_mut() {
                step.cached = true;
                progress.event(Event::Cached { index });
            }
            return;
        }
        if let Some(container) = line.strip_prefix(" ---> Running in ") {
            self.container.get_or_insert_with(|| container.trim().to_owned());
        }
        if line.starts_with("Successfully tagged ") {
            self.tagged = self.image_id.is_some();
        }
        if !is_the_builders_own(clean(StepLog::shown(line)).trim_end()) {
            self.log.take(line, progress);
        }
    }

    /// The total and the instruction, if the line begins the step that has to come next. A command may write such a
    /// line too; it would have to guess the right numbers.
    fn next_step<'a>(&self, line: &'a str) -> Option<(u32, &'a str)> {
        let (numbers, name) = line.strip_prefix("Step ").or_else(|| line.strip_prefix("STEP "))?.split_once(':')?;
        let (index, total) = numbers.trim_end().split_once('/')?;
        let (index, total) = (index.parse::<u32>().ok()?, total.parse::<u32>().ok()?);
        let fits = self.total == total || self.total == 0 && total <= STEPS;
        let expected = index == self.index() + 1 && index <= total && fits;
        expected.then(|| (total, name.trim()))
    }

    /// The number of the current step, counted from 1; 0 before the first.
    fn index(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// The current step, such as `3/9`.
    pub(super) fn step(&self) -> Option<String> {
        (!self.steps.is_empty()).then(|| format!("{}/{}", self.index(), self.total))
    }

    /// Records how long the current step, if there is one, has taken.
    fn time_step(&mut self, now: Instant) {
        if let (Some(began), Some(step)) = (self.began.take(), self.steps.last_mut()) {
            step.seconds = now.duration_since(began).as_secs_f64();
        }
    }

    /// Called when nothing more will come.
    pub(super) fn end(&mut self, now: Instant, progress: &dyn Progress) {
        let rest = std::mem::take(&mut self.line);
        if !rest.is_empty() {
            self.whole_line(&rest, now, progress);
        }
        // The log stays, because it belongs to the error.
        self.time_step(now);
    }

    pub(super) fn error(&mut self, error: RequestError, address: &str) -> DockerError {
        let (status, message) = match error.refusal() {
            Ok(refusal) => refusal,
            Err(RequestError::Cut(_)) => return DockerError::BuildCut { step: self.step() },
            Err(error) => return error.into_error("build an image", address),
        };
        let Some((step, last)) = self.step().zip(self.steps.last()) else { return refused(status, message) };
        let fault = step_fault(status, &message, &last.name);
        DockerError::BuildStep {
            step,
            instruction: last.name.clone(),
            message,
            findings: std::mem::take(&mut self.log.findings),
            log: std::mem::take(&mut self.log.lines).into(),
            fault,
        }
    }
}

/// Whether a line is the builder's own and no command's: ids of containers and images, which mean nothing to people.
fn is_the_builders_own(line: &str) -> bool {
    let openings = [" ---> Running in ", " ---> ", "Removing intermediate container ", "Successfully built "];
    let name = openings.iter().find_map(|opening| line.strip_prefix(opening));
    let is_id = |name: &str| name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit());
    // `FROM scratch` has no id at all.
    name.is_some_and(is_id) || line == " --->" || line.starts_with("Successfully tagged ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        docker::{fault::Fault, step_log::LOG_LINES},
        progress::{Json, Silent},
    };

    /// Feeds recorded lines of a build, one second apart.
    fn told(lines: &str) -> (ClassicTranscript, Result<(), RequestError>) {
        let (mut transcript, start) = (ClassicTranscript::default(), Instant::now());
        for (at, line) in lines.lines().enumerate() {
            let now = start + Duration::from_secs(at as u64);
            if let Err(error) = transcript.take(line.as_bytes(), now, &Silent) {
                transcript.end(now, &Silent);
                return (transcript, Err(error));
            }
        }
        transcript.end(start + Duration::from_secs(lines.lines().count() as u64), &Silent);
        (transcript, Ok(()))
    }

    const GOOD: &str = r#"{"stream":"Step 1/3 : FROM base:1"}
{"stream":"\n"}
{"stream":" ---\u003e 0123456789ab\n"}
{"stream":"Step 2/3 : RUN echo Step 3/3 : FAKE"}
{"stream":"\n"}
{"stream":" ---\u003e Using cache\n"}
{"stream":" ---\u003e 1123456789ab\n"}
{"stream":"Step 3/3 : RUN make"}
{"stream":"\n"}
{"stream":"Step 1/3 : FROM a command's output\n"}
{"aux":{"ID":"sha256:2222"}}
{"stream":"Successfully built 222222222222\n"}
{"stream":"Successfully tagged etl:1\n"}"#;

    #[test]
    fn steps_are_named_timed_and_told_apart() {
        let (transcript, end) = told(GOOD);
        end.unwrap();
        let steps = transcript.steps.iter().map(|step| (step.name.as_str(), step.cached, step.seconds));
        assert_eq!(
            steps.collect::<Vec<_>>(),
            [("FROM base:1", false, 3.0), ("RUN echo Step 3/3 : FAKE", true, 4.0), ("RUN make", false, 5.0)]
        );
        assert_eq!((transcript.image_id.as_deref(), transcript.tagged), (Some("sha256:2222"), true));
    }

    #[test]
    fn a_stream_that_stops_early_has_no_image() {
        let lines: Vec<_> = GOOD.lines().collect();
        for kept in 0..10 {
            let (transcript, _) = told(&lines[..kept].join("\n"));
            assert_eq!((transcript.image_id, transcript.tagged), (None, false), "{kept} lines");
        }
    }

    #[test]
    fn a_command_cannot_claim_the_tag_before_the_image() {
        let (transcript, _) = told(
            r#"{"stream":"Step 1/1 : RUN x\n"}
{"stream":"Successfully tagged etl:1\n"}"#,
        );
        assert!(!transcript.tagged);
    }

    #[test]
    fn a_failed_step_carries_its_own_words() {
        let mut lines = vec![r#"{"stream":"Step 1/2 : FROM base"}"#.to_owned(), r#"{"stream":"\n"}"#.to_owned()];
        lines.push(r#"{"stream":"Step 2/2 : RUN python check.py\n"}"#.to_owned());
        lines.push(r#"{"stream":" ---\u003e Running in 5d0c2f4b0a1b\n"}"#.to_owned());
        for number in 0..30 {
            lines.push(format!(r#"{{"stream":"\u001b[91mline {number}\n\u001b[0m"}}"#));
        }
        lines.push(r#"{"stream":"\u001b[91mflowhold: flow 'etl': ModuleNot"}"#.to_owned());
        lines.push(r#"{"stream":"FoundError: No module named 'x'\n\u001b[0m"}"#.to_owned());
        lines.push(r#"{"stream":"Removing intermediate container 5d0c2f4b0a1b\n"}"#.to_owned());
        lines.push(
            r#"{"errorDetail":{"code":1,"message":"The command 'python check.py' returned a non-zero code: 1"},"error":"x"}"#
                .to_owned(),
        );
        let (mut transcript, end) = told(&lines.join("\n"));
        let DockerError::BuildStep { step, instruction, message, findings, log, fault } =
            transcript.error(end.unwrap_err(), "unix:///s")
        else {
            panic!("not a failed step");
        };
        assert_eq!((step.as_str(), instruction.as_str()), ("2/2", "RUN python check.py"));
        assert_eq!(message, "The command 'python check.py' returned a non-zero code: 1");
        assert_eq!(findings, ["flow 'etl': ModuleNotFoundError: No module named 'x'"]);
        assert_eq!((log.len(), log[0].as_str(), fault), (20, "line 11", Fault::Invalid));
    }

    /// Proxies and old daemons send these.
    #[test]
    fn an_error_without_detail_is_one() {
        let (_, end) = told(r#"{"error":"denied: no builds today"}"#);
        assert!(matches!(end, Err(RequestError::Stream(message)) if message == "denied: no builds today"));
    }

    #[test]
    fn only_a_from_step_is_the_registrys_fault() {
        let refused = "dial tcp 127.0.0.1:1: connect: connection refused";
        for (instruction, fault) in
            [("FROM localhost:1/base", Fault::Unreachable), ("RUN pip install x", Fault::Invalid)]
        {
            let (mut transcript, _) = told(&format!(r#"{{"stream":"Step 1/1 : {instruction}\n"}}"#));
            let error = transcript.error(RequestError::Stream(refused.to_owned()), "unix:///s");
            assert!(matches!(error, DockerError::BuildStep { fault: found, .. } if found == fault), "{error:?}");
        }
    }

    #[test]
    fn a_progress_bar_is_its_last_state() {
        let json = Json::new(Vec::new());
        let mut transcript = ClassicTranscript::default();
        transcript.text("Step 1/1 : RUN x\n 10%\r 50%\r100%\r\n", Instant::now(), &json);
        transcript.text(&"x".repeat(LINE_BYTES * 2), Instant::now(), &json);
        assert_eq!(transcript.log.lines[0], "100%");
        assert!(transcript.line.len() < LINE_BYTES);
    }

    /// Pieces of a daemon's answer, in any order and cut anywhere.
    fn answer() -> impl Strategy<Value = Vec<serde_json::Value>> {
        let text = prop_oneof![
            (0_u32..4, 0_u32..4).prop_map(|(index, total)| format!("Step {index}/{total} : RUN x\n")),
            proptest::sample::select(vec![
                " ---> Using cache\n",
                "Successfully tagged a:b\n",
                "\n",
                "\r",
                "\u{1b}[91m",
                "flowhold: flow 'a': b\n",
                "Step ",
                "1/1 :",
                "Step 4294967295/4294967295 : X\n",
                " ---> 0123456789ab\n",
                "\u{0}\u{7}\u{9b}",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
            (0_usize..3 * LINE_BYTES).prop_map(|length| "x".repeat(length)),
        ];
        let line = prop_oneof![
            8 => text.prop_map(|text| serde_json::json!({ "stream": text })),
            1 => any::<String>().prop_map(|id| serde_json::json!({ "aux": { "ID": id } })),
            1 => any::<(String, String, i64, i64)>().prop_map(|(id, status, current, total)| {
                serde_json::json!({ "id": id, "status": status, "progressDetail": { "current": current, "total": total } })
            }),
            1 => any::<String>().prop_map(|text| serde_json::json!({ "errorDetail": { "message": text }, "error": text })),
        ];
        proptest::collection::vec(line, 0..40)
    }

    proptest! {
        #[test]
        fn any_answer_can_be_taken(lines in answer()) {
            let mut transcript = ClassicTranscript::default();
            let json = Json::new(Vec::new());
            let now = Instant::now();
            let end = lines.iter().try_for_each(|line| transcript.take(line.to_string().as_bytes(), now, &json));
            transcript.end(now, &json);
            let identified = lines.iter().any(|line| line.get("aux").is_some());
            prop_assert!(transcript.image_id.is_none() || identified);
            prop_assert!(!transcript.tagged || transcript.image_id.is_some());
            prop_assert!(transcript.log.lines.len() <= LOG_LINES && transcript.log.findings.len() <= LOG_LINES);
            // Text for a terminal moves no cursor and changes no colour.
            let names = transcript.steps.iter().map(|step| &step.name);
            for text in names.chain(&transcript.log.lines).chain(&transcript.log.findings) {
                prop_assert!(!text.contains(|c: char| c.is_control() && c != '\t'), "{text:?}");
            }
            if let Err(error) = end {
                prop_assert!(!transcript.error(error, "unix:///s").to_string().is_empty());
            }
        }
    }
}
