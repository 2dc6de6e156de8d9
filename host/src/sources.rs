//! What a spec names, looked at: flows are opened or pickled, directories are listed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc::UnboundedSender;

use crate::{
    bindings::exports::flowhold::storage::planning::{Entry, EntryKind, Finding, Origin, Python, Source},
    blob::Blob,
    failure::Failure,
    files::{from_everywhere, parent_of},
    inputs::{Inputs, Listing},
    parallel::on_all_processors,
    python::{Interpreter, PickleJob, PickleRequest, WarmPython, configuration_of, path_of},
};

/// A finding before the component has handles of it.
pub(crate) enum Found {
    Flow(Option<String>, Blob),
    File(Vec<FoundEntry>),
    Failed(Failure),
    Skipped,
}

pub(crate) struct FoundEntry {
    path: String,
    mode: u32,
    kind: FoundKind,
}

enum FoundKind {
    File(Blob),
    Directory,
    Symlink(String),
}

/// All findings, and the Python that was asked.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) found: Vec<Found>,
    pub(crate) python: Option<Python>,
    /// Holds the pickles.
    pub(crate) temporary: Option<tempfile::TempDir>,
    pub(crate) inputs: Inputs,
    pub(crate) job: Option<PickleJob>,
}

/// Whether a look must bring the bytes of sources whose size and digest the spec states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Only what is not stated.
    Preview,
    /// All bytes.
    Build,
}

/// Something that a spec has its host read or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought<'a> {
    /// A flow's file, a policy, or what `files` names, with everything below it: where links lead, if it is there.
    File(&'a Path),
    /// A Python, which executes the flows' files: a path, or a name that the operating system looks up.
    Python(&'a Path),
}

/// Says whether plans may be of it.
pub type SourceGrant = Arc<dyn Fn(Sought<'_>) -> bool + Send + Sync>;

/// What plans may be of.
#[derive(Clone, Default)]
pub enum Sources {
    /// Only of specs that name none, or say all about theirs.
    #[default]
    None,
    /// Of whatever is granted.
    Granted(SourceGrant),
    /// Of whatever a spec names: the user's own may do so.
    All,
}

impl Sources {
    /// Refuses a file that was not granted.
    pub(crate) fn may_read(&self, path: &Path) -> Result<(), Failure> {
        // Where links lead is looked up only for those who ask: there may be many files.
        let place = || fs::canonicalize(path).unwrap_or_else(|_| from_everywhere(path));
        self.may(path, |granted| granted(Sought::File(&place())))
    }

    fn may_run(&self, python: &Path) -> Result<(), Failure> {
        self.may(python, |granted| granted(Sought::Python(python)))
    }

    fn may(&self, path: &Path, ask: impl FnOnce(&SourceGrant) -> bool) -> Result<(), Failure> {
        let may = match self {
            Self::None => false,
            Self::Granted(granted) => ask(granted),
            Self::All => true,
        };
        if may {
            return Ok(());
        }
        Err(Failure::not_granted(path.display())
            .with_help("tell those who made the host program, or name what it grants"))
    }
}

/// How flows are pickled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pickling {
    /// Takes the lines that flows' files print meanwhile.
    pub(crate) printed: Option<UnboundedSender<String>>,
    /// Where pickles are kept.
    pub(crate) kept: Option<PathBuf>,
    /// Is asked first.
    pub(crate) warm: Option<Arc<WarmPython>>,
}

/// Looks at everything that a spec names, relative to its folder.
pub(crate) async fn look(
    sources: &[Source],
    folder: &Path,
    python: Option<&str>,
    pickling: &Pickling,
    need: Need,
    granted: &Sources,
) -> Findings {
    let wanted = |source: &Source| need == Need::Build || !source.pinned;
    let mut inputs = Inputs::default();
    for source in sources.iter().filter(|source| wanted(source)) {
        match &source.origin {
            Origin::Object((path, _)) => {
                let file = folder.join(path);
                inputs.add_file(&file);
                // Its modules are beside it.
                inputs.add_listing(parent_of(&file), Listing::Modules);
            }
            Origin::Flow(path) => inputs.add_file(&folder.join(path)),
            Origin::File(path) => inputs.add_tree(Path::new(path)),
        }
    }
    let found = on_all_processors(sources, |source| {
        if !wanted(source) {
            return Found::Skipped;
        }
        let (Origin::Object((path, _)) | Origin::Flow(path) | Origin::File(path)) = &source.origin;
        // That of `files` is absolute.
        let path = folder.join(path);
        if let Err(failure) = granted.may_read(&path) {
            return Found::Failed(failure);
        }
        match &source.origin {
            Origin::Object(_) => match fs::metadata(&path) {
                Ok(_) => Found::Skipped,
                Err(error) => Found::Failed(flow_failure(&path, &error)),
            },
            Origin::Flow(_) => open_flow(&path),
            Origin::File(_) => match list(&path) {
                Ok(entries) => Found::File(entries),
                Err((path, error)) => Found::Failed(failure(&path, &error)),
            },
        }
    });
    let (at, requests): (Vec<_>, Vec<_>) = sources
        .iter()
        .enumerate()
        .filter(|(index, source)| wanted(source) && !matches!(found[*index], Found::Failed(_)))
        .filter_map(|(index, source)| match &source.origin {
            Origin::Object((path, object)) => {
                Some((index, PickleRequest { file: folder.join(path), object: object.clone() }))
            }
            _ => None,
        })
        .unzip();
    let mut look = Findings { found, inputs, ..Findings::default() };
    // A resolved spec leaves nothing to Python, whatever is needed of it.
    let open = sources.iter().any(|source| !source.pinned);
    if requests.is_empty() && !(python.is_some() && open) {
        return look;
    }
    if let Err((request, failure)) = look.pickle(&requests, &at, folder, python, pickling, granted).await {
        let index = request.and_then(|request| at.get(request)).or(at.first()).copied().unwrap_or(0);
        if let Some(slot) = look.found.get_mut(index) {
            *slot = Found::Failed(failure);
        }
    }
    look
}

impl Findings {
    /// Has Python pickle flows; `at` says which findings they are.
    async fn pickle(
        &mut self,
        requests: &[PickleRequest],
        at: &[usize],
        folder: &Path,
        python: Option<&str>,
        pickling: &Pickling,
        granted: &Sources,
    ) -> Result<(), (Option<usize>, Failure)> {
        let own = |error: io::Error| (None, Failure::of_path("a temporary directory", &error));
        let temporary = tempfile::tempdir().map_err(own)?;
        if let Some(path) = python.and_then(|chosen| path_of(chosen, folder)) {
            // It may be made yet, or made anew.
            self.inputs.add_file(&path);
            configuration_of(&path).iter().for_each(|path| self.inputs.add_file(path));
        }
        let mut interpreter = Interpreter::find(python, folder).map_err(|error| (None, error.into()))?;
        granted.may_run(interpreter.program()).map_err(|failure| (None, failure))?;
        let files = requests.iter().map(|request| request.file.clone()).collect();
        self.job = Some(PickleJob { interpreter: interpreter.clone(), files });
        if let Some(lines) = &pickling.printed {
            interpreter = interpreter.printing_to(lines.clone());
        }
        if let Some(directory) = &pickling.kept {
            interpreter = interpreter.keeping_in(directory.clone());
        }
        if let Some(warm) = &pickling.warm {
            interpreter = interpreter.with_warm(Arc::clone(warm));
        }
        let answer = interpreter.pickle(requests, temporary.path(), &mut self.inputs).await;
        let (facts, pickled) = answer.map_err(|error| (error.request(), error.into()))?;
        for (index, one) in at.iter().zip(pickled) {
            self.found[*index] = Found::Flow(one.name, Blob::open(&one.content).map_err(own)?);
        }
        self.temporary = Some(temporary);
        self.python = Some(Python { version: facts.version, prefect: facts.prefect, cloudpickle: facts.cloudpickle });
        Ok(())
    }
}

fn open_flow(path: &Path) -> Found {
    match Blob::open(path) {
        Ok(blob) => Found::Flow(None, blob),
        Err(error) => Found::Failed(flow_failure(path, &error)),
    }
}

fn flow_failure(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => {
            failure(path, error).with_help("check the path; that of a flow begins at the spec's folder")
        }
        _ => failure(path, error),
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::of_path(path.display(), error);
    match error.kind() {
        io::ErrorKind::InvalidInput => failure.with_help("flows are files; `files` can be directories and links, too"),
        _ => failure,
    }
}

/// A file, or a directory with everything below it. A link that is the source itself is followed; links below it are
/// kept as links.
fn list(source: &Path) -> Result<Vec<FoundEntry>, (PathBuf, io::Error)> {
    let at = |error| (source.to_owned(), error);
    let metadata = fs::metadata(source).map_err(at)?;
    let mut entries = Vec::new();
    if !metadata.is_dir() {
        let kind = FoundKind::File(Blob::open(source).map_err(at)?);
        entries.push(FoundEntry { path: String::new(), mode: mode(&metadata), kind });
        return Ok(entries);
    }
    entries.push(FoundEntry { path: String::new(), mode: mode(&metadata), kind: FoundKind::Directory });
    let mut open = vec![(source.to_owned(), String::new())];
    while let Some((directory, below)) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(|error| (directory.clone(), error))? {
            let here = |error| (directory.clone(), error);
            let entry = entry.map_err(here)?;
            let full = entry.path();
            let at = |error| (full.clone(), error);
            let name = entry.file_name().into_string().map_err(|_| at(io::Error::other("its name is not Unicode")))?;
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let metadata = fs::symlink_metadata(&full).map_err(at)?;
            let kind = if metadata.is_symlink() {
                let target = fs::read_link(&full).map_err(at)?;
                let target = target.into_os_string().into_string();
                FoundKind::Symlink(target.map_err(|_| at(io::Error::other("its target is not Unicode")))?)
            } else if metadata.is_dir() {
                open.push((full.clone(), path.clone()));
                FoundKind::Directory
            } else {
                FoundKind::File(Blob::open(&full).map_err(at)?)
            };
            entries.push(FoundEntry { path, mode: mode(&metadata), kind });
        }
    }
    Ok(entries)
}

#[cfg(unix)]
pub(crate) fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

/// Where files have no mode, what most of them would have elsewhere.
#[cfg(not(unix))]
pub(crate) fn mode(metadata: &fs::Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

impl Found {
    /// The finding with handles that `push` gives out.
    pub(crate) fn hand_over<E>(
        self,
        push: &mut impl FnMut(Blob) -> Result<wasmtime::component::Resource<Blob>, E>,
    ) -> Result<Finding, E> {
        Ok(match self {
            Self::Flow(name, blob) => Finding::Flow((name, push(blob)?)),
            Self::Failed(failure) => Finding::Failed(failure),
            Self::Skipped => Finding::Skipped,
            Self::File(entries) => {
                let entries = entries.into_iter().map(|entry| {
                    let kind = match entry.kind {
                        FoundKind::File(blob) => EntryKind::File(push(blob)?),
                        FoundKind::Directory => EntryKind::Directory,
                        FoundKind::Symlink(target) => EntryKind::Symlink(target),
                    };
                    Ok(Entry { path: entry.path, mode: entry.mode, kind })
                });
                Finding::File(entries.collect::<Result<_, E>>()?)
            }
        })
    }
}
