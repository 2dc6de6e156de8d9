//! Handles as numbers: those that nobody gave, those that were given back, and those of something else.

use crate::{
    exports::flowhold::storage::planning::{ArchiveSegment, Plan},
    flowhold::storage::{docker, files::Blob},
    pretence::Obeyed,
};

/// Uses a handle as a line says. The host should not let it return.
pub(crate) fn misuse(how: &str) -> String {
    let (how, number) = how.split_once(' ').unwrap_or((how, ""));
    let blob = || Blob::new(b"mine");
    let daemon = || docker::connect(None).unwrap();
    match how {
        "numbered" => length(number.parse().unwrap()),
        "dropped" => {
            let blob = blob();
            let handle = blob.handle();
            drop(blob);
            length(handle)
        }
        "dropped-twice" => {
            let blob = blob();
            drop(forged(blob.handle()));
            drop(blob);
            "dropped twice".to_owned()
        }
        "daemon-as-blob" => {
            let daemon = daemon();
            length(daemon.handle())
        }
        "daemon-dropped-as-blob" => {
            drop(forged(daemon().take_handle()));
            "dropped as a blob".to_owned()
        }
        "blob-as-daemon" => {
            // SAFETY: none. That is what is tried.
            let daemon = unsafe { docker::Daemon::from_handle(blob().take_handle()) };
            format!("{:?}", daemon.pull("x", None))
        }
        "plan-as-blob" => {
            let plan = Plan::new(Obeyed::default());
            length(plan.handle())
        }
        // Not misused at all: with this, the others would succeed.
        "own" => {
            let blob = blob();
            length(blob.handle())
        }
        other => format!("{other}?"),
    }
}

/// The blobs that a line says, for the host, and what to do with their handles afterwards.
pub(crate) fn give(how: &str) -> (Vec<ArchiveSegment>, String) {
    let blob = Blob::new(b"given");
    let handle = blob.handle();
    let again = (how == "twice").then(|| ArchiveSegment::Blob(forged(handle)));
    ([ArchiveSegment::Blob(blob)].into_iter().chain(again).collect(), format!("handle numbered {handle}"))
}

fn length(handle: u32) -> String {
    let blob = std::mem::ManuallyDrop::new(forged(handle));
    format!("{} bytes", blob.length())
}

fn forged(handle: u32) -> Blob {
    // SAFETY: none. That is what is tried.
    unsafe { Blob::from_handle(handle) }
}
