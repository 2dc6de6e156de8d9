//! Plan digests: of the content of an image, and of flows that are not in an image.

use sha2::{Digest as _, Sha256};

use crate::{
    blob::Content,
    context::ContextEntry,
    digest::Digest,
    flow::Flow,
    json::Json,
    settings::{EntryKind, Platform},
};

/// The digest of the canonical encoding: every part is preceded by its length, so that no two plans have the same
/// encoding.
pub(super) fn of_image(dockerfile: &str, platform: Option<&Platform>, context: &[ContextEntry]) -> Digest {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match platform {
        Some(platform) => part(format!("flowhold plan 1 for {platform}").as_bytes()),
        None => part(b"flowhold plan 1"),
    }
    part(dockerfile.as_bytes());
    for entry in context {
        part(entry.path.as_bytes());
        part(&entry.mode.to_be_bytes());
        match &entry.kind {
            EntryKind::File(Content { size, sha256, .. }) => {
                part(b"file");
                part(&size.to_be_bytes());
                part(sha256.as_bytes());
            }
            EntryKind::Directory => part(b"directory"),
            EntryKind::Symlink(target) => {
                part(b"symlink");
                part(target.as_bytes());
            }
        }
    }
    Digest::from_bytes(hash.finalize().into())
}

/// The digest of flows that are not in an image.
pub(crate) fn flows_digest(flows: &[Flow]) -> Digest {
    let flow = |flow: &Flow| {
        let (size, sha256) = (flow.content.size, flow.content.sha256.hex());
        Json::Array(vec![flow.name.as_str().into(), flow.format.as_str().into(), size.into(), sha256.into()])
    };
    let flows = flows.iter().map(flow).collect::<Json>();
    Digest::of(Json::Array(vec!["flowhold flows 1".into(), flows]).to_string().as_bytes())
}
