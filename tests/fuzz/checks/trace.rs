//! Any bytes as BuildKit's reports, which a daemon sends as protobuf.

#[expect(dead_code, reason = "what is written in the host's own words is not checked here")]
#[path = "../../../host/src/docker/buildkit/protobuf.rs"]
mod protobuf;

#[path = "../../../host/src/docker/buildkit/trace.rs"]
mod trace;

pub(crate) fn check(data: &[u8]) {
    let reports: Vec<_> = trace::reports(data).collect();
    assert!(reports.len() <= data.len());
    for number in 0..20 {
        drop(protobuf::text_field(data, number));
    }
}
