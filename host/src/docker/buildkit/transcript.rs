//! Reads steps, the image's id and the cause of a failure from BuildKit's reports about vertices.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bollard::models::ErrorDetail;
use serde::Deserialize;
use serde_json::Value;

use super::{
    masked_log::MaskedLog,
    trace::{self, Log, Part, Report, Vertex},
};
use crate::{
    capability::BuildStep,
    docker::{
        DockerError,
        request_error::{RequestError, line_error, words},
        secrets::Secrets,
        step_log::{StepLog, refused, step_fault},
    },
    progress::{Event, Progress, clean},
};

/// No build has more vertices; reports about further ones are not kept.
const VERTICES: usize = 1000;

/// The prefixes that BuildKit puts before a cause.
const PREFIXES: [&str; 3] =
    ["failed to solve with frontend dockerfile.v0: ", "failed to solve: ", "failed to create LLB definition: "];

/// What the daemon has said so far.
pub(super) struct BuildkitTranscript {
    secrets: Arc<Secrets>,
    vertices: Vec<Known>,
    /// Places in `vertices`, by digest.
    places: HashMap<String, usize>,
    /// Places of the steps that have begun, in that order.
    begun: Vec<usize>,
    pub(super) image_id: Option<String>,
    /// The daemon said that the image has its name now.
    pub(super) tagged: bool,
}

/// A vertex, with everything that was reported about it.
#[derive(Default)]
struct Known {
    vertex: Vertex,
    /// None for work that BuildKit does between the steps.
    step: Option<Step>,
    log: MaskedLog,
}

/// A step, read from its name: `[stage 2/5] RUN …`.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    stage: String,
    number: u32,
    total: u32,
    instruction: String,
}

/// A line of the daemon's answer.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Line {
    id: String,
    aux: Value,
    stream: String,
    error: Option<String>,
    error_detail: Option<ErrorDetail>,
}

impl BuildkitTranscript {
    pub(super) fn new(secrets: Arc<Secrets>) -> Self {
        Self { secrets, vertices: Vec::new(), places: HashMap::new(), begun: Vec::new(), image_id: None, tagged: false }
    }

    pub(super) fn take(&mut self, line: &[u8], progress: &dyn Progress) -> Result<(), RequestError> {
        let senseless = || RequestError::Cut("a line of the answer makes no sense".to_owned());
        let line: Line = serde_json::from_slice(line).map_err(|_| senseless())?;
        match (line.id.as_str(), line.aux) {
            ("moby.buildkit.trace", Value::String(reports)) => {
                let reports = STANDARD.decode(reports).map_err(|_| senseless())?;
                for report in trace::reports(&reports) {
                    self.report(report, progress);
                }
            }
            ("moby.image.id", aux) => self.image_id = aux["ID"].as_str().map(str::to_owned),
            _ => {}
        }
        // The classic builder answers: the daemon is too old to know that there are two.
        if line.stream.starts_with("Step 1/") || line.stream.starts_with("STEP 1/") {
            return Err(RequestError::NoBuildkit);
        }
        self.tagged |= line.stream.starts_with("Successfully tagged ") && self.image_id.is_some();
        line_error(line.error, line.error_detail).map_or(Ok(()), |error| Err(RequestError::Stream(error)))
    }

    fn cause(&self, message: &str) -> String {
        let mut cause = message;
        while let Some(rest) = PREFIXES.iter().find_map(|prefix| cause.strip_prefix(prefix)) {
            cause = rest;
        }
        let cause = if cause.is_empty() { "the daemon gave no reason" } else { cause };
        self.words(cause)
    }

    /// The daemon's words without secrets, also without those that control characters split.
    fn words(&self, text: &str) -> String {
        self.secrets.mask(&words(&self.secrets.mask(text))).into_owned()
    }

    fn report(&mut self, report: Report<'_>, progress: &dyn Progress) {
        match report {
            Report::Vertex(vertex) => self.vertex(vertex, progress),
            Report::Part(part) => self.part(&part, progress),
            Report::Log(log) => self.log(&log, progress),
        }
    }

    fn vertex(&mut self, vertex: Vertex, progress: &dyn Progress) {
        let Some(place) = self.place(&vertex) else { return };
        let error = self.words(&vertex.error);
        let known = &mut self.vertices[place];
        let began = known.vertex.started.is_none() && vertex.started.is_some();
        let was_cached = known.vertex.cached;
        known.vertex.cached |= vertex.cached;
        // A vertex may be reported as done, then again as begun and done in no time, and by another build as not begun.
        if vertex.started.is_some() && seconds(&vertex) >= seconds(&known.vertex) {
            (known.vertex.started, known.vertex.completed) = (vertex.started, vertex.completed);
        }
        if !error.is_empty() {
            known.vertex.error = error;
            // The build goes on without that cache.
            if known.vertex.name.starts_with("importing cache manifest") {
                let text = words(&format!("{}: {}", known.vertex.name, known.vertex.error));
                progress.event(Event::Message { text: &text });
            }
        }
        let (cached, completed) = (known.vertex.cached, vertex.completed.is_some());
        if began && known.step.is_some() {
            self.begun.push(place);
            let total = self.total();
            let name = self.vertices[place].step.as_ref().map_or("", |step| &step.instruction);
            progress.event(Event::Step { index: count(self.begun.len()), total, name });
        }
        if cached
            && !was_cached
            && let Some(begun) = self.begun.iter().position(|begun| *begun == place)
        {
            progress.event(Event::Cached { index: count(begun + 1) });
        }
        if completed {
            self.vertices[place].log.end_line(&self.secrets, progress);
        }
    }

    /// The place of the vertex, which is added if it is new.
    fn place(&mut self, vertex: &Vertex) -> Option<usize> {
        if let Some(place) = self.places.get(&vertex.digest) {
            return Some(*place);
        }
        if self.places.len() == VERTICES {
            return None;
        }
        let name = self.secrets.mask(&vertex.name).into_owned();
        let step = Step::read(&name);
        // If another build runs the same step at the same time, BuildKit reports the steps of both to both, under
        // different digests and maybe numbers. No Dockerfile of ours has the same instruction twice.
        let same = |known: &Step, step: &Step| known.stage == step.stage && known.instruction == step.instruction;
        if let Some(step) = &step
            && let Some(place) =
                self.vertices.iter().position(|known| known.step.as_ref().is_some_and(|known| same(known, step)))
        {
            self.places.insert(vertex.digest.clone(), place);
            return Some(place);
        }
        let place = self.vertices.len();
        let vertex = Vertex { digest: vertex.digest.clone(), name, ..Vertex::default() };
        self.places.insert(vertex.digest.clone(), place);
        self.vertices.push(Known { vertex, step, ..Known::default() });
        Some(place)
    }

    fn part(&self, part: &Part, progress: &dyn Progress) {
        // A part without a total is done in no time.
        if part.total == 0 || !self.places.contains_key(&part.vertex) {
            return;
        }
        let id = part.id.trim_start_matches("sha256:");
        let id: String = id.chars().take(12).collect();
        // The classic builder's words.
        let status = if part.complete { "Pull complete" } else { "Downloading" };
        progress.event(Event::Layer { id: &id, status, current: Some(part.current), total: Some(part.total) });
    }

    fn log(&mut self, log: &Log<'_>, progress: &dyn Progress) {
        let Some(place) = self.places.get(&log.vertex).copied() else { return };
        self.vertices[place].log.take(log.bytes, &self.secrets, progress);
    }

    /// Called when nothing more will come.
    pub(super) fn end(&mut self, progress: &dyn Progress) {
        for known in &mut self.vertices {
            known.log.end_line(&self.secrets, progress);
        }
    }

    /// The steps, stage by stage.
    pub(super) fn steps(&self) -> Vec<BuildStep> {
        let mut stages: Vec<&str> = Vec::new();
        let mut steps: Vec<(usize, u32, BuildStep)> = Vec::new();
        for known in &self.vertices {
            let Some(step) = &known.step else { continue };
            let stage = stages.iter().position(|stage| *stage == step.stage).unwrap_or_else(|| {
                stages.push(&step.stage);
                stages.len() - 1
            });
            let name = clean(&step.instruction).into_owned();
            let done = BuildStep { name, cached: known.vertex.cached, seconds: seconds(&known.vertex) };
            steps.push((stage, step.number, done));
        }
        steps.sort_by_key(|(stage, number, _)| (*stage, *number));
        steps.into_iter().map(|(_, _, step)| step).collect()
    }

    /// The number of steps of all known stages.
    fn total(&self) -> u32 {
        let mut stages: Vec<(&str, u32)> = Vec::new();
        for step in self.vertices.iter().filter_map(|known| known.step.as_ref()) {
            if !stages.iter().any(|(stage, _)| *stage == step.stage) {
                stages.push((&step.stage, step.total));
            }
        }
        stages.iter().fold(0, |sum, (_, total)| sum.saturating_add(*total))
    }

    /// The step that began last, such as `3/9`.
    pub(super) fn step(&self) -> Option<String> {
        (!self.begun.is_empty()).then(|| format!("{}/{}", self.begun.len(), self.total()))
    }

    pub(super) fn error(&mut self, error: RequestError, address: &str) -> DockerError {
        let (status, message) = match error.refusal() {
            Ok((status, message)) => (status, self.cause(&message)),
            Err(RequestError::Cut(_)) => return DockerError::BuildCut { step: self.step() },
            Err(error) => return error.into_error("build an image", address),
        };
        let Some(place) = self.failed(&message) else { return refused(status, message) };
        let total = self.total();
        let known = &mut self.vertices[place];
        if let Some(step) = &known.step {
            let fault = step_fault(status, &message, &step.instruction);
            let number = self.begun.iter().position(|begun| *begun == place).map_or(step.number, |at| count(at + 1));
            let StepLog { lines, findings } = known.log.end();
            return DockerError::BuildStep {
                step: format!("{number}/{total}"),
                instruction: clean(&step.instruction).into_owned(),
                message,
                findings,
                log: lines.into(),
                fault,
            };
        }
        match known.vertex.name.strip_prefix("[internal] load metadata for ") {
            Some(base) => {
                let base = clean(base);
                let fault = step_fault(status, &message, "FROM");
                DockerError::BuildRefused { message: format!("FROM {base}: {message}"), fault }
            }
            None => refused(status, message),
        }
    }

    /// The vertex whose error ended the build: others may have been stopped because of it.
    fn failed(&self, message: &str) -> Option<usize> {
        let failed = |known: &&Known| !known.vertex.error.is_empty();
        let same = |known: &Known| message.contains(&known.vertex.error);
        let places = || (0..self.vertices.len()).filter(|place| failed(&&self.vertices[*place]));
        places().rfind(|place| same(&self.vertices[*place])).or_else(|| places().next_back())
    }
}

impl Step {
    fn read(name: &str) -> Option<Self> {
        let (place, instruction) = name.strip_prefix('[')?.split_once("] ")?;
        let (stage, numbers) = place.rsplit_once(' ').unwrap_or(("", place));
        let (number, total) = numbers.trim().split_once('/')?;
        let (number, total) = (number.parse().ok()?, total.parse().ok()?);
        (1 <= number && number <= total).then(|| Self {
            stage: stage.trim().to_owned(),
            number,
            total,
            instruction: instruction.trim().to_owned(),
        })
    }
}

/// How long the vertex took, as far as that is known.
fn seconds(vertex: &Vertex) -> f64 {
    vertex.completed.zip(vertex.started).map_or(0.0, |(completed, started)| (completed - started).max(0.0))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        capability::{BuildSecret, SecretSource},
        docker::{buildkit::protobuf, fault::Fault, step_log::LINE_BYTES},
        failure::FailureKind,
        progress::{Json, Silent},
    };

    // What Docker 20.10.24 answered, with `curl --data-binary @context.tar …/build?version=2&dockerfile=Dockerfile`.
    const BUILT: &str = include_str!("recorded/built.jsonl");
    const CACHED: &str = include_str!("recorded/cached.jsonl");
    const FAILED: &str = include_str!("recorded/failed.jsonl");
    const MISSING_BASE: &str = include_str!("recorded/missing-base.jsonl");
    const MISSING_COPY: &str = include_str!("recorded/missing-copy.jsonl");
    const STAGES: &str = include_str!("recorded/stages.jsonl");
    const SYNTAX: &str = include_str!("recorded/syntax.jsonl");

    fn secrets(values: &[&str]) -> Arc<Secrets> {
        let secret =
            |name: &&str| BuildSecret { id: (*name).to_owned(), source: SecretSource::Env((*name).to_owned()) };
        let secrets: Vec<_> = values.iter().map(secret).collect();
        Arc::new(Secrets::read(&secrets, |_| true, |value| Some(value.into())).unwrap())
    }

    fn told(lines: &str, masked: &[&str]) -> (BuildkitTranscript, Result<(), RequestError>) {
        told_to(lines, masked, &Silent)
    }

    fn told_to(
        lines: &str,
        masked: &[&str],
        progress: &dyn Progress,
    ) -> (BuildkitTranscript, Result<(), RequestError>) {
        let mut transcript = BuildkitTranscript::new(secrets(masked));
        let end = lines.lines().try_for_each(|line| transcript.take(line.as_bytes(), progress));
        transcript.end(progress);
        (transcript, end)
    }

    fn error(lines: &str) -> DockerError {
        let (mut transcript, end) = told(lines, &[]);
        transcript.error(end.unwrap_err(), "unix:///s")
    }

    /// A line of an answer with one report, in the field of this number.
    fn line(number: u8, fields: &[(u8, &str)]) -> String {
        let (mut report, mut message) = (Vec::new(), Vec::new());
        for (number, text) in fields {
            protobuf::push_field(&mut report, *number, text.as_bytes());
        }
        protobuf::push_field(&mut message, number, &report);
        format!("{{\"id\":\"moby.buildkit.trace\",\"aux\":\"{}\"}}", STANDARD.encode(message))
    }

    fn named(transcript: &BuildkitTranscript) -> Vec<(String, bool)> {
        transcript.steps().into_iter().map(|step| (step.name, step.cached)).collect()
    }

    #[test]
    fn steps_are_named_timed_and_told_apart() {
        let from = "FROM docker.io/library/recorded-base:1".to_owned();
        let (copy, run) = (
            "COPY [flows/, /opt/flows/]".to_owned(),
            "RUN [\"sh\", \"-c\", \"echo out; echo err >&2; sleep 0.3\"]".to_owned(),
        );
        let (transcript, end) = told(BUILT, &[]);
        end.unwrap();
        // Another build had copied the same files.
        assert_eq!(named(&transcript)[1..], [(copy.clone(), true), (run.clone(), false)]);
        assert_eq!(transcript.step().as_deref(), Some("3/3"));
        assert!((0.3..2.0).contains(&transcript.steps()[2].seconds));
        assert!(transcript.image_id.as_ref().is_some_and(|id| id.starts_with("sha256:")));
        assert!(transcript.tagged);
        let (transcript, end) = told(CACHED, &[]);
        end.unwrap();
        assert_eq!(named(&transcript)[1..], [(copy, true), (run, true)]);
        assert_eq!(named(&transcript)[0].0, from);
        let (transcript, end) = told(STAGES, &[]);
        end.unwrap();
        let names: Vec<_> = named(&transcript).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names[1..],
            ["RUN echo recorded 1 > /a", "RUN echo recorded 2", "COPY --from=one /a /a"].map(str::to_owned)
        );
    }

    #[test]
    fn what_goes_on_is_told_as_by_the_classic_builder() {
        let (_, shown) = shown(BUILT, &[]);
        let run = r#"RUN [\"sh\", \"-c\", \"echo out; echo err >&2; sleep 0.3\"]"#;
        let from = "FROM docker.io/library/recorded-base:1";
        assert!(shown.contains(&format!(r#"{{"event":"step","index":1,"total":3,"name":"{from}"}}"#)), "{shown}");
        let end = format!(
            "{{\"event\":\"step\",\"index\":3,\"total\":3,\"name\":\"{run}\"}}\n\
             {{\"event\":\"log\",\"line\":\"out\"}}\n{{\"event\":\"log\",\"line\":\"err\"}}\n"
        );
        assert!(shown.ends_with(&end), "{shown}");
    }

    fn shown(lines: &str, masked: &[&str]) -> (BuildkitTranscript, String) {
        #[derive(Clone, Default)]
        struct Written(Arc<std::sync::Mutex<Vec<u8>>>);
        impl std::io::Write for Written {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let written = Written::default();
        let (transcript, _) = told_to(lines, masked, &Json::new(written.clone()));
        let shown = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        (transcript, shown)
    }

    #[test]
    fn a_step_that_another_build_does_too_is_one() {
        let vertex = |digest: &str, name: &str| line(1, &[(1, digest), (3, name), (5, "")]);
        let (copy, run) = ("[2/3] COPY [flows/, /opt/]", "[3/3] RUN true");
        let of_longer = "[2/5] COPY [flows/, /opt/]";
        let told = [vertex("a", copy), vertex("b", copy), vertex("c", run), vertex("d", of_longer)];
        let (transcript, shown) = shown(&told.join("\n"), &[]);
        assert_eq!(named(&transcript), [("COPY [flows/, /opt/]".to_owned(), false), ("RUN true".to_owned(), false)]);
        assert_eq!(transcript.step().as_deref(), Some("2/3"));
        assert_eq!(shown.matches("COPY").count(), 1, "{shown}");
    }

    #[test]
    fn a_stream_that_stops_early_has_no_image() {
        let lines: Vec<_> = BUILT.lines().collect();
        let image = lines.iter().position(|line| line.contains("moby.image.id")).unwrap();
        for kept in 0..=image {
            let (transcript, _) = told(&lines[..kept].join("\n"), &[]);
            assert_eq!((transcript.image_id, transcript.tagged), (None, false), "{kept} lines");
        }
    }

    #[test]
    fn a_failed_step_carries_its_own_words() {
        let DockerError::BuildStep { step, instruction, message, findings, log, fault } = error(FAILED) else {
            panic!("not a failed step");
        };
        assert_eq!(step, "3/3");
        assert_eq!(instruction, "RUN echo one; printf 'flowhold: flow x: boom'; exit 3");
        assert!(message.ends_with("exit code: 3"), "{message}");
        assert_eq!(
            (findings, log),
            (vec!["flow x: boom".to_owned()], vec!["one".to_owned(), "flowhold: flow x: boom".to_owned()])
        );
        assert_eq!(fault, Fault::Invalid);
    }

    #[test]
    fn causes_are_told_by_who_can_mend_them() {
        for (lines, kind, words) in [
            (
                MISSING_BASE,
                FailureKind::Unavailable,
                "the daemon refused the build: FROM localhost:1/none:1: failed to do request: Head",
            ),
            (
                MISSING_COPY,
                FailureKind::Input,
                "step 2/2 failed: COPY [nothere, /x]: failed to compute cache key: \"/nothere\" not found",
            ),
            (
                SYNTAX,
                FailureKind::Input,
                "the daemon refused the build: dockerfile parse error line 2: unknown instruction: FOO",
            ),
            (r#"{"stream":"Step 1/3 : FROM a"}"#, FailureKind::Unavailable, "the Dockerfile needs BuildKit"),
            ("It works!", FailureKind::Retry, "the daemon closed the connection"),
            (
                r#"{"error":"write /x: no space left on device"}"#,
                FailureKind::Unavailable,
                "the daemon refused the build: write /x",
            ),
            (
                r#"{"errorDetail":{},"error":"context canceled"}"#,
                FailureKind::Input,
                "the daemon refused the build: context canceled",
            ),
        ] {
            let error = error(lines);
            assert!(error.to_string().starts_with(words), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
        }
    }

    #[test]
    fn secrets_are_told_nowhere() {
        let secret = "hunter2-secret";
        let vertex = |more: &[(u8, &str)]| line(1, &[&[(1, "a"), (3, "[1/1] RUN echo hunter2-secret")], more].concat());
        let log = |text: &str| line(3, &[(1, "a"), (4, text)]);
        let lines = [
            vertex(&[(5, "")]),
            log("it is hunter2-"),
            log("secret, and hunter2\u{1b}[1m-secret\n"),
            log(&format!("{}{secret}", "x".repeat(LINE_BYTES - 5))),
            log(&"y".repeat(LINE_BYTES)),
            log("\n"),
            vertex(&[(6, ""), (7, "failed: hunter2-secret")]),
            r#"{"errorDetail":{"message":"failed: hunter2-secret"}}"#.to_owned(),
        ];
        let (mut transcript, shown) = shown(&lines.join("\n"), &[secret]);
        assert!(shown.contains("it is ***, and ***") && !shown.contains("hunter2"), "{shown}");
        assert!(shown.matches("xxx***").count() + shown.matches("***yyy").count() > 0, "{shown}");
        let (_, end) = told(&lines.join("\n"), &[secret]);
        let error = transcript.error(end.unwrap_err(), "unix:///s");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(error.to_string(), "step 1/1 failed: RUN echo ***: failed: ***");
        let moved = vertex(&[(6, ""), (7, "failed: hunter2\u{1b}[1m-secret")]);
        let refused = r#"{"errorDetail":{"message":"failed: hunter2\u001b[1m-secret"}}"#;
        let (mut transcript, end) = told(&format!("{moved}\n{refused}"), &[secret]);
        let error = transcript.error(end.unwrap_err(), "unix:///s");
        assert_eq!(error.to_string(), "step 1/1 failed: RUN echo ***: failed: ***");
    }

    #[test]
    fn what_a_daemon_makes_up_costs_no_memory() {
        let mut transcript = BuildkitTranscript::new(secrets(&[]));
        let mut take = |line: String| transcript.take(line.as_bytes(), &Silent).unwrap();
        for number in 0..VERTICES * 2 {
            take(line(1, &[(1, &number.to_string()), (3, &format!("[{number}/1] RUN x"))]));
        }
        assert_eq!(transcript.vertices.len(), VERTICES);
        // One step under many digests costs no memory either.
        let mut transcript = BuildkitTranscript::new(secrets(&[]));
        for number in 0..VERTICES * 2 {
            let again = line(1, &[(1, &number.to_string()), (3, "[1/1] RUN x")]);
            transcript.take(again.as_bytes(), &Silent).unwrap();
        }
        assert_eq!((transcript.vertices.len(), transcript.places.len()), (1, VERTICES));
    }

    #[test]
    fn names_of_steps_have_their_numbers() {
        for (name, step) in [
            ("[2/5] RUN [a/b] c", Some(("", 2, 5, "RUN [a/b] c"))),
            ("[ 2/12] RUN x", Some(("", 2, 12, "RUN x"))),
            ("[stage-1 2/3] RUN x", Some(("stage-1", 2, 3, "RUN x"))),
            ("[linux/arm64 build 1/1] FROM a", Some(("linux/arm64 build", 1, 1, "FROM a"))),
            ("[internal] load metadata for a", None),
            ("[0/1] RUN x", None),
            ("[2/1] RUN x", None),
            ("exporting to image", None),
            ("[", None),
        ] {
            let step = step.map(|(stage, number, total, instruction)| Step {
                stage: stage.to_owned(),
                number,
                total,
                instruction: instruction.to_owned(),
            });
            assert_eq!(Step::read(name), step, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_can_be_taken(which in any::<usize>(), at in any::<usize>(), byte: u8) {
            let recorded = [BUILT, FAILED, STAGES];
            let mut answer = recorded[which % recorded.len()].as_bytes().to_vec();
            let at = at % answer.len();
            answer[at] = byte;
            let mut transcript = BuildkitTranscript::new(secrets(&["out"]));
            let mut lines = answer.split(|byte| *byte == b'\n');
            let end = lines.try_for_each(|line| transcript.take(line, &Silent));
            transcript.end(&Silent);
            if let Err(error) = end {
                transcript.error(error, "unix:///s").to_string();
            }
            transcript.steps();
        }

        #[test]
        fn each_step_begins_once_in_whatever_order_it_is_told_of(
            reports in prop::collection::vec((0..6_u8, any::<bool>(), any::<bool>(), any::<bool>()), 0..40),
        ) {
            let told = reports.iter().map(|(which, started, completed, cached)| {
                // Two digests of each step.
                let (digest, name) = (which.to_string(), format!("[{}/3] RUN {}", which / 2 + 1, which / 2));
                let mut fields = vec![(1, digest.as_str()), (3, name.as_str())];
                fields.extend(cached.then_some((4, "")));
                fields.extend(started.then_some((5, "")));
                fields.extend(completed.then_some((6, "")));
                line(1, &fields)
            });
            let (transcript, shown) = shown(&told.collect::<Vec<_>>().join("\n"), &[]);
            let steps = transcript.vertices.len();
            let events: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let begun: Vec<_> = events.iter().filter(|event| event["event"] == "step").collect();
            for (index, event) in begun.iter().enumerate() {
                prop_assert_eq!((&event["index"], &event["total"]), (&Value::from(index + 1), &Value::from(3)));
            }
            prop_assert_eq!(begun.len(), transcript.begun.len());
            prop_assert!(begun.len() <= steps, "{}", shown);
            let is_begun = |place: usize| transcript.vertices[place].vertex.started.is_some();
            prop_assert!((0..steps).all(|place| is_begun(place) == transcript.begun.contains(&place)), "{}", shown);
        }
    }
}
