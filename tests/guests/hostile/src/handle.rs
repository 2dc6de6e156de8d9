//! Handles as numbers: handles that nobody gave, that were given back, or that are of another kind.

use crate::{
    exports::flowhold::storage::planning::{ArchiveSegment, Plan},
    flowhold::storage::{docker, files::Blob},
    pretence::Obeyed,
};

/// Misuses a handle as a line says. The host should not let this return.
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
            // SAFETY: none. The forged handle is the attack.
            let daemon = unsafe { docker::Daemon::from_handle(blob().take_handle()) };
            format!("{:?}", daemon.pull("x", None))
        }
        "plan-as-blob" => {
            let plan = Plan::new(Obeyed::default());
            length(plan.handle())
        }
        // No misuse: with such a handle, the others would succeed.
        "own" => {
            let blob = blob();
            length(blob.handle())
        }
        other => format!("{other}?"),
    }
}

/// The blobs that a line says to give to the host, and the order that uses their handle afterwards.
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
    // SAFETY: none. The forged handle is the attack.
    unsafe { Blob::from_handle(handle) }
}
