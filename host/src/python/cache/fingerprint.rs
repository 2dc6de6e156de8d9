//! How to tell that a file or a directory is unchanged.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use crate::{
    blob::read_regular,
    inputs::{Listing, is_metadata},
};

/// A file that changed so shortly before Python began may have changed again after it was read, at the same time.
pub(super) const SETTLED: Duration = Duration::from_secs(2);
/// The same for the change time, which nobody can set, and which is counted in steps.
#[cfg(unix)]
pub(super) const STEP: Duration = Duration::from_millis(20);
/// Files larger than this are not read again and again: flows that read them are pickled anew.
pub(super) const LARGEST: u64 = 64 << 20;

/// What was looked at already, so that all entries of one call see the same.
#[derive(Default)]
pub(super) struct Fingerprints {
    contents: HashMap<PathBuf, Option<String>>,
    listings: HashMap<(PathBuf, Listing), Option<String>>,
}

impl Fingerprints {
    /// The digest of a file; none if nothing is there. What has no digest gets a text that matches no entry.
    pub(super) fn content(&mut self, path: &Path) -> Option<String> {
        let found = || match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= LARGEST => {
                Some(read_regular(path, LARGEST).map_or_else(|error| error.to_string(), digest))
            }
            Ok(_) => Some("another".to_owned()),
            Err(error) => (error.kind() != io::ErrorKind::NotFound).then(|| error.to_string()),
        };
        self.contents.entry(path.to_owned()).or_insert_with(found).clone()
    }

    /// The digest of what matters in a directory; none if there is none.
    pub(super) fn listing(&mut self, path: &Path, listing: Listing) -> Option<String> {
        let key = (path.to_owned(), listing);
        self.listings.entry(key).or_insert_with(|| list(path, listing)).clone()
    }
}

/// Whether a file can be known by its content: it is as it was when a Python that began at `began` read it.
pub(super) fn is_settled(path: &Path, began: SystemTime) -> bool {
    match fs::metadata(path) {
        Ok(metadata) => {
            let settled = metadata.modified().is_ok_and(|modified| is_before(modified, SETTLED, began));
            metadata.is_file() && metadata.len() <= LARGEST && settled && !has_come_since(&metadata, began)
        }
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Whether `time`, which anybody may have set to anything, is more than `span` before `other`.
pub(super) fn is_before(time: SystemTime, span: Duration, other: SystemTime) -> bool {
    time.checked_add(span).is_some_and(|time| time < other)
}

/// Whether a file, however old its time is, may have replaced the one that Python read.
#[cfg(unix)]
fn has_come_since(metadata: &fs::Metadata, began: SystemTime) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let since_1970 = Duration::new(u64::try_from(metadata.ctime()).unwrap_or(0), metadata.ctime_nsec() as u32);
    let came = SystemTime::UNIX_EPOCH.checked_add(since_1970);
    !came.is_some_and(|came| is_before(came, STEP, began))
}

#[cfg(not(unix))]
fn has_come_since(_: &fs::Metadata, _: SystemTime) -> bool {
    false
}

fn list(path: &Path, listing: Listing) -> Option<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        if listing.counts(&name) {
            let dated = listing == Listing::Packages && is_metadata(&name);
            let written = dated.then(|| entry.metadata().ok()?.modified().ok());
            names.push((name, written.flatten()));
        }
    }
    names.sort();
    let mut hash = Sha256::new();
    for (name, written) in names {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_encoded_bytes());
        let written = written.and_then(|written| written.duration_since(SystemTime::UNIX_EPOCH).ok());
        hash.update(written.unwrap_or_default().as_nanos().to_be_bytes());
    }
    Some(format!("{:x}", hash.finalize()))
}

pub(super) fn digest(bytes: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The digest of several texts, each preceded by its length.
pub(super) fn digest_of_texts<'t>(texts: impl IntoIterator<Item = &'t OsStr>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_encoded_bytes());
    }
    format!("{:x}", hash.finalize())
}
