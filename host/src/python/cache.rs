//! Keeps pickles, and reuses them as long as their files, Python and packages are the same.
//!
//! Starting Python and importing a flow's modules takes longer than all else in a build of an unchanged flow. And a
//! file that asks for the time or for randomness gives another pickle each time, though nobody edited it.
//!
//! An entry holds as long as everything that its pickle was made from is the same: the file, what it read, listed and
//! imported (`pickle_flows.py` says what), the interpreter, the packages on its path by name and version, the
//! environment and the working directory. Two things are not watched: whether a file exists that nobody opened, and
//! files that are read without Python's help (as packages for HDF5 and Arrow do, and a database that another attaches).

mod fingerprint;
#[cfg(test)]
mod tests;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};

use self::fingerprint::{Fingerprints, SETTLED, digest, digest_of_texts, is_before, is_settled};
use crate::{
    blob::read_regular,
    inputs::{Inputs, Listing},
};

use super::{PICKLE_FLOWS, PickleRequest, Pickled, PythonFacts, configuration_of, pickling::Executed, session::Traced};

/// The largest entry that is read: storages with larger flows can't be read either.
const LARGEST_ENTRY: u64 = 512 << 20;
/// Entries that nobody has used for this long are removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Variables that differ from shell to shell, and on which no flow depends.
const VOLATILE: [&str; 8] = ["_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "WINDOWID", "INVOCATION_ID"];

/// A directory of entries, each with a file of its own.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// The entries as one call of an interpreter sees them.
pub(super) struct View {
    cache: Cache,
    /// The program as it is started; `setting` has the file that it leads to.
    program: PathBuf,
    setting: Setting,
    began: SystemTime,
    /// The same moment, by a clock that nobody can set.
    started: Instant,
    fingerprints: Fingerprints,
}

/// What all entries of a call have in common.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone)]
struct Setting {
    /// Digest of `pickle_flows.py`.
    by: String,
    executable: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    working_directory: PathBuf,
    /// Digest of the environment.
    environment: String,
}

/// The head of a file in the cache: one line of JSON, before the pickle.
#[derive(Serialize, Deserialize)]
struct Entry {
    setting: Setting,
    facts: PythonFacts,
    name: Option<String>,
    /// Paths, and the digests of what is there; none if nothing is there.
    reads: Vec<(PathBuf, Option<String>)>,
    listings: Vec<(PathBuf, Listing, Option<String>)>,
    pickle: String,
}

/// What the cache has for a request.
pub(super) struct Hit {
    pub(super) facts: PythonFacts,
    pub(super) name: Option<String>,
    pub(super) pickle: Vec<u8>,
    pub(super) inputs: Inputs,
}

impl Cache {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The entries for a program; none if the file behind its name can't be found, or others can write the entries.
    pub(super) fn view(self, program: &Path) -> Option<View> {
        if !is_own(&self.folder) {
            return None;
        }
        let program =
            if program.components().count() == 1 { on_path(program)? } else { std::path::absolute(program).ok()? };
        let executable = fs::canonicalize(&program).ok()?;
        let metadata = fs::metadata(&executable).ok()?;
        let mut variables: Vec<_> =
            env::vars_os().filter(|(name, _)| !VOLATILE.iter().any(|other| name == other)).collect();
        variables.sort();
        let setting = Setting {
            by: digest(PICKLE_FLOWS),
            executable,
            length: metadata.len(),
            modified: metadata.modified().ok(),
            working_directory: env::current_dir().ok()?,
            environment: digest_of_texts(variables.iter().flat_map(|(name, value)| [name.as_os_str(), value])),
        };
        let (began, started) = (SystemTime::now(), Instant::now());
        Some(View { cache: self, program, setting, began, started, fingerprints: Fingerprints::default() })
    }
}

impl View {
    /// The facts of the interpreter, if it was asked for them before.
    pub(super) fn facts(&mut self) -> Option<Hit> {
        self.load(self.place(None))
    }

    /// The pickle of a request, if there is one, and Python would make it the same way.
    pub(super) fn pickle(&mut self, request: &PickleRequest) -> Option<Hit> {
        self.load(self.place(Some(request)))
    }

    fn load(&mut self, place: PathBuf) -> Option<Hit> {
        let file = read_regular(&place, LARGEST_ENTRY).ok()?;
        let end = file.iter().position(|byte| *byte == b'\n')?;
        let entry: Entry = serde_json::from_slice(&file[..end]).ok()?;
        let pickle = &file[end + 1..];
        let same = entry.setting == self.setting
            && entry.reads.iter().all(|(path, then)| self.fingerprints.content(path) == *then)
            && entry.listings.iter().all(|(path, listing, then)| self.fingerprints.listing(path, *listing) == *then)
            && digest(pickle) == entry.pickle;
        if !same {
            return None;
        }
        if let Ok(file) = fs::File::options().write(true).open(&place)
            && file
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|used| is_before(used, DAY, self.began))
        {
            // An entry that is used stays.
            let _ = file.set_modified(self.began);
        }
        let mut inputs = Inputs::default();
        entry.reads.iter().for_each(|(path, _)| inputs.add_file(path));
        entry.listings.iter().for_each(|(path, listing, _)| inputs.add_listing(path, *listing));
        Some(Hit { facts: entry.facts, name: entry.name, pickle: pickle.to_vec(), inputs })
    }

    /// Keeps Python's answers. If that fails, nobody is told: Python is asked again next time.
    pub(super) fn keep(&mut self, requests: &[PickleRequest], executed: &Executed) {
        // The program that is started may start another one, by rules of its own.
        if fs::canonicalize(&executed.facts.executable).ok().as_ref() != Some(&self.setting.executable) {
            return;
        }
        // If the clock is set back, files that were edited after Python had read them look old.
        let passed = SystemTime::now().duration_since(self.began);
        if !passed.is_ok_and(|passed| passed.abs_diff(self.started.elapsed()) < SETTLED) {
            return;
        }
        let _ = self.keep_entry(None, &executed.facts, None, Vec::new(), Vec::new(), &[]);
        for flow in &executed.flows {
            if let Some(traced) = flow.made_from.as_ref().filter(|traced| traced.complete) {
                let _ = self.keep_pickle(&requests[flow.request], &executed.facts, &flow.pickled, traced);
            }
        }
    }

    fn keep_pickle(
        &mut self,
        request: &PickleRequest,
        facts: &PythonFacts,
        pickled: &Pickled,
        traced: &Traced,
    ) -> io::Result<()> {
        // The digest of the file as Python read it, whatever the file is by now.
        let mut reads = vec![(request.file.clone(), Some(traced.source.clone()))];
        for path in &traced.reads {
            if !is_settled(path, self.began) {
                return Ok(());
            }
            reads.push((path.clone(), self.fingerprints.content(path)));
        }
        let mut listings = Vec::new();
        for (path, listing) in traced.listings() {
            listings.push((path.to_owned(), listing, self.fingerprints.listing(path, listing)));
        }
        let pickle = fs::read(&pickled.content)?;
        self.keep_entry(Some(request), facts, pickled.name.clone(), reads, listings, &pickle)
    }

    fn keep_entry(
        &mut self,
        request: Option<&PickleRequest>,
        facts: &PythonFacts,
        name: Option<String>,
        mut reads: Vec<(PathBuf, Option<String>)>,
        mut listings: Vec<(PathBuf, Listing, Option<String>)>,
        pickle: &[u8],
    ) -> io::Result<()> {
        if let Some(path) = configuration_of(&self.program) {
            let content = self.fingerprints.content(&path);
            reads.push((path, content));
        }
        let Some(path) = &facts.path else { return Ok(()) };
        for path in path {
            listings.push((path.clone(), Listing::Packages, self.fingerprints.listing(path, Listing::Packages)));
        }
        let (setting, facts) = (self.setting.clone(), facts.clone());
        let entry = Entry { setting, facts, name, reads, listings, pickle: digest(pickle) };
        let mut bytes = serde_json::to_vec(&entry)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(pickle);
        self.cache.write(&self.place(request), &bytes)
    }

    /// The path of the entry of a request, or of the facts.
    fn place(&self, request: Option<&PickleRequest>) -> PathBuf {
        let file = request.map(|request| request.file.as_os_str()).unwrap_or_default();
        let object = request.map(|request| request.object.as_str()).unwrap_or_default();
        self.cache.folder.join(digest_of_texts([self.program.as_os_str(), file, object.as_ref()]))
    }
}

impl Cache {
    fn write(&self, place: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true);
        // Whoever can write here decides what is built.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(place)?;
        self.clean()
    }

    /// Once a day, removes files that nobody has used for long, half-written ones as well.
    fn clean(&self) -> io::Result<()> {
        let now = SystemTime::now();
        let marker = self.folder.join("cleaned");
        let age =
            |path: &Path| Ok::<_, io::Error>(now.duration_since(fs::metadata(path)?.modified()?).unwrap_or_default());
        if age(&marker).is_ok_and(|age| age < DAY) {
            return Ok(());
        }
        // Replaces whatever is there, and follows no link.
        tempfile::NamedTempFile::new_in(&self.folder)?.persist(&marker)?;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if age(&path).is_ok_and(|age| age > KEPT) {
                // A directory is no entry, and stays.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// Whether a folder is the user's, and nobody else can write to it; also if it is missing.
#[cfg(unix)]
fn is_own(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let is_own = |there: fs::Metadata| there.uid() == rustix::process::geteuid().as_raw() && there.mode() & 0o022 == 0;
    fs::metadata(folder).map_or(true, is_own)
}

#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    true
}

/// The program that a bare name stands for.
fn on_path(name: &Path) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
