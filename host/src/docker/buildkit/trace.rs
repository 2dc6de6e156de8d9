//! BuildKit's progress reports: `moby.buildkit.v1.StatusResponse` and the messages in it.
//!
//! Fields that we don't use are skipped, so that newer daemons may add some.

use super::protobuf::fields;

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Report<'a> {
    /// About a vertex: a step, or something that BuildKit does between steps. It is repeated whole whenever any of it
    /// changes.
    Vertex(Vertex),
    /// About a part of a vertex, such as a layer on its way.
    Part(Part),
    /// What a vertex wrote.
    Log(Log<'a>),
}

/// What is known of a vertex.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Vertex {
    /// Identifies the vertex.
    pub(super) digest: String,
    pub(super) name: String,
    pub(super) cached: bool,
    /// Seconds since 1970.
    pub(super) started: Option<f64>,
    pub(super) completed: Option<f64>,
    /// Empty if there is no error.
    pub(super) error: String,
}

/// What is known of a part of a vertex.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) id: String,
    /// The digest of its vertex.
    pub(super) vertex: String,
    pub(super) current: u64,
    pub(super) total: u64,
    pub(super) complete: bool,
}

/// A piece of what a vertex wrote, cut anywhere.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Log<'a> {
    /// The digest of its vertex.
    pub(super) vertex: String,
    pub(super) bytes: &'a [u8],
}

/// The reports of one StatusResponse, in its order.
pub(super) fn reports(bytes: &[u8]) -> impl Iterator<Item = Report<'_>> {
    fields(bytes).filter_map(|(number, value)| match number {
        1 => Some(Report::Vertex(vertex(value.bytes()))),
        2 => Some(Report::Part(part(value.bytes()))),
        3 => Some(Report::Log(log(value.bytes()))),
        _ => None,
    })
}

fn vertex(message: &[u8]) -> Vertex {
    let mut vertex = Vertex::default();
    for (number, value) in fields(message) {
        match number {
            1 => vertex.digest = value.text(),
            3 => vertex.name = value.text(),
            4 => vertex.cached = value.number() != 0,
            5 => vertex.started = Some(seconds(value.bytes())),
            6 => vertex.completed = Some(seconds(value.bytes())),
            7 => vertex.error = value.text(),
            _ => {}
        }
    }
    vertex
}

fn part(message: &[u8]) -> Part {
    let mut part = Part::default();
    for (number, value) in fields(message) {
        match number {
            1 => part.id = value.text(),
            2 => part.vertex = value.text(),
            4 => part.current = value.number(),
            5 => part.total = value.number(),
            8 => part.complete = true,
            _ => {}
        }
    }
    part
}

fn log(message: &[u8]) -> Log<'_> {
    let mut log = Log::default();
    for (number, value) in fields(message) {
        match number {
            1 => log.vertex = value.text(),
            4 => log.bytes = value.bytes(),
            _ => {}
        }
    }
    log
}

/// A Timestamp: seconds and nanoseconds.
fn seconds(message: &[u8]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a f64 tells today's microseconds")]
    fields(message).fold(0.0, |sum, (number, value)| match number {
        1 => sum + value.number() as f64,
        2 => sum + value.number() as f64 / 1e9,
        _ => sum,
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;

    use super::*;

    /// What Docker 20.10.24 answered, with `curl --data-binary @context.tar …/build?version=2&dockerfile=Dockerfile`.
    const BUILT: &str = include_str!("recorded/built.jsonl");

    /// The bytes of all reports in an answer.
    fn messages(answer: &str) -> Vec<Vec<u8>> {
        let lines = answer.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let aux = lines.filter(|line| line["id"] == "moby.buildkit.trace").map(|mut line| line["aux"].take());
        aux.map(|aux| base64::engine::general_purpose::STANDARD.decode(aux.as_str().unwrap()).unwrap()).collect()
    }

    #[test]
    fn what_was_recorded_is_read() {
        let messages = messages(BUILT);
        let found: Vec<_> = messages.iter().flat_map(|message| reports(message)).collect();
        let vertices: Vec<_> = found
            .iter()
            .filter_map(|report| match report {
                Report::Vertex(vertex) if vertex.name.starts_with("[3/3]") => Some(vertex),
                _ => None,
            })
            .collect();
        let last = vertices.last().unwrap();
        assert_eq!(last.name, r#"[3/3] RUN ["sh", "-c", "echo out; echo err >&2; sleep 0.3"]"#);
        assert!(last.digest.starts_with("sha256:") && last.digest.len() == 71, "{last:?}");
        assert!((0.3..2.0).contains(&(last.completed.unwrap() - last.started.unwrap())), "{last:?}");
        assert_eq!((last.cached, last.error.as_str(), vertices[0].started), (false, "", None));
        let logs: Vec<_> = found
            .iter()
            .filter_map(|report| match report {
                Report::Log(log) => Some((log.vertex == last.digest, log.bytes)),
                _ => None,
            })
            .collect();
        assert_eq!(logs, [(true, &b"out\n"[..]), (true, &b"err\n"[..])]);
        assert!(
            found
                .iter()
                .any(|report| matches!(report, Report::Part(part) if part.id == "exporting layers" && part.complete))
        );
    }

    #[test]
    fn a_message_that_is_cut_is_read_up_to_there() {
        for message in messages(BUILT) {
            let whole: Vec<_> = reports(&message).collect();
            for length in 0..message.len() {
                let cut: Vec<_> = reports(&message[..length]).collect();
                assert_eq!(cut, whole[..cut.len()], "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(reports(&bytes).count() <= bytes.len());
        }

        #[test]
        fn a_recorded_message_with_any_byte_changed_can_be_read(which in any::<usize>(), at in any::<usize>(), byte: u8) {
            let mut messages = messages(BUILT);
            let which = which % messages.len();
            let message = &mut messages[which];
            let at = at % message.len();
            message[at] = byte;
            prop_assert!(reports(message).count() <= message.len());
        }
    }
}
