//! Looks at what a spec names: opens or pickles flows, and lists directories.

mod granted;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cap_std::fs::Metadata;

use tokio::sync::mpsc::Sender;

use self::granted::Place;
pub use self::granted::{Sought, SourceGrant, Sources};
use crate::{
    bindings::exports::flowhold::storage::planning::{Entry, EntryKind, Finding, Origin, Python, Source},
    blob::{Blob, is_regular},
    failure::Failure,
    files::{parent_of, without_waiting},
    inputs::{Inputs, Listing},
    parallel::{FEW, aside, aside_if, on_all_processors},
    python::{Interpreter, PickleJob, PickleRequest, Pickled, WarmPython, configuration_of, path_of},
};

/// A finding for which the component has no handles yet.
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
    pub(crate) inputs: Inputs,
    pub(crate) job: Option<PickleJob>,
}

/// Whether planning needs the bytes of sources whose size and digest the spec states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Only the bytes of other sources.
    Preview,
    /// All bytes.
    Build,
}

/// How flows are pickled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pickling {
    /// Takes the lines that flows' files print while they are pickled.
    pub(crate) printed: Option<Sender<String>>,
    /// Where pickles are kept.
    pub(crate) kept: Option<PathBuf>,
    /// The Python that is asked first.
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
    let is_tree = |source: &Source| matches!(source.origin, Origin::File(_));
    let mut look = if sources.len() < FEW && !sources.iter().any(is_tree) {
        read(sources, folder, need, granted)
    } else {
        let (sources, folder, granted) = (sources.to_vec(), folder.to_owned(), granted.clone());
        aside(move || read(&sources, &folder, need, &granted)).await
    };
    let (at, requests): (Vec<_>, Vec<_>) = sources
        .iter()
        .enumerate()
        .filter(|(index, source)| is_wanted(source, need) && !matches!(look.found[*index], Found::Failed(_)))
        .filter_map(|(index, source)| match &source.origin {
            Origin::Object((path, object)) => {
                Some((index, PickleRequest { file: folder.join(path), object: object.clone() }))
            }
            _ => None,
        })
        .unzip();
    // A resolved spec leaves nothing for Python to tell, whatever is needed.
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

fn is_wanted(source: &Source, need: Need) -> bool {
    need == Need::Build || !source.pinned
}

/// Looks at everything that needs no Python.
fn read(sources: &[Source], folder: &Path, need: Need, granted: &Sources) -> Findings {
    let mut inputs = Inputs::default();
    for source in sources.iter().filter(|source| is_wanted(source, need)) {
        match &source.origin {
            Origin::Object((path, _)) => {
                let file = folder.join(path);
                inputs.add_file(&file);
                // The flow's modules are beside its file.
                inputs.add_listing(parent_of(&file), Listing::Modules);
            }
            Origin::Flow(path) => inputs.add_file(&folder.join(path)),
            Origin::File(path) => inputs.add_tree(Path::new(path)),
        }
    }
    let found = on_all_processors(sources, |source| {
        if !is_wanted(source, need) {
            return Found::Skipped;
        }
        let (Origin::Object((path, _)) | Origin::Flow(path) | Origin::File(path)) = &source.origin;
        // A path of `files` is absolute.
        let path = folder.join(path);
        let place = match granted.file(&path) {
            Ok(place) => place,
            Err(failure) => return Found::Failed(failure),
        };
        match &source.origin {
            Origin::Object(_) => match place.look() {
                Ok(()) => Found::Skipped,
                Err(error) => Found::Failed(flow_failure(&path, &error)),
            },
            Origin::Flow(_) => match place.file().and_then(|file| Blob::of_closed(&path, file)) {
                Ok(blob) => Found::Flow(None, blob),
                Err(error) => Found::Failed(flow_failure(&path, &error)),
            },
            Origin::File(_) => match list(&path, &place) {
                Ok(entries) => Found::File(entries),
                Err((path, error)) => Found::Failed(failure(&path, &error)),
            },
        }
    });
    Findings { found, inputs, ..Findings::default() }
}

impl Findings {
    /// Has Python pickle flows; `at` has the index of the finding for each.
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
            // The Python may be installed later, or anew.
            self.inputs.add_file(&path);
            configuration_of(&path).iter().for_each(|path| self.inputs.add_file(path));
        }
        // The grant comes before the search: whether a Python exists is told only if it is granted.
        let program = granted.python(Interpreter::choose(python, folder)).map_err(|failure| (None, failure))?;
        let mut interpreter = Interpreter::at(program).map_err(|error| (None, error.into()))?;
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
        let temporary = Arc::new(temporary);
        let open = move |one: Pickled| Ok((one.name, Blob::open(&one.content)?.keeping(&temporary)));
        let open = move || pickled.into_iter().map(open).collect::<io::Result<Vec<_>>>();
        let flows = aside_if(at.len() >= FEW, open).await.map_err(own)?;
        for (index, (name, content)) in at.iter().zip(flows) {
            self.found[*index] = Found::Flow(name, content);
        }
        self.python = Some(Python { version: facts.version, prefect: facts.prefect, cloudpickle: facts.cloudpickle });
        Ok(())
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

/// Lists a file, or a directory with everything below it. A link that is the source itself is followed; links below it
/// are kept as links, and a link that replaces a directory meanwhile can't lead out of the source.
fn list(source: &Path, place: &Place) -> Result<Vec<FoundEntry>, (PathBuf, io::Error)> {
    let at = |error| (source.to_owned(), error);
    let mut entries = Vec::new();
    let Some(root) = place.directory().map_err(at)? else {
        let file = place.file().map_err(at)?;
        let mode = mode(&Metadata::from_file(&file).map_err(at)?);
        let kind = FoundKind::File(Blob::of_closed(source, file).map_err(at)?);
        entries.push(FoundEntry { path: String::new(), mode, kind });
        return Ok(entries);
    };
    let metadata = root.dir_metadata().map_err(at)?;
    entries.push(FoundEntry { path: String::new(), mode: mode(&metadata), kind: FoundKind::Directory });
    let mut open = vec![String::new()];
    while let Some(below) = open.pop() {
        let directory = if below.is_empty() { source.to_owned() } else { source.join(&below) };
        let here = |error| (directory.clone(), error);
        for entry in root.read_dir(if below.is_empty() { "." } else { &below }).map_err(here)? {
            let entry = entry.map_err(here)?;
            let full = directory.join(entry.file_name());
            let at = |error| (full.clone(), error);
            let name = entry.file_name().into_string().map_err(|_| at(io::Error::other("its name is not Unicode")))?;
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let metadata = entry.metadata().map_err(at)?;
            let kind = if metadata.is_symlink() {
                let target = root.read_link_contents(&path).map_err(at)?;
                let target = target.into_os_string().into_string();
                FoundKind::Symlink(target.map_err(|_| at(io::Error::other("its target is not Unicode")))?)
            } else if metadata.is_dir() {
                open.push(path.clone());
                FoundKind::Directory
            } else {
                let file = is_regular(metadata.is_file()).and_then(|()| entry.open_with(&without_waiting()));
                let blob = file.and_then(|file| Blob::of_closed(&full, file.into_std()));
                FoundKind::File(blob.map_err(at)?)
            };
            entries.push(FoundEntry { path, mode: mode(&metadata), kind });
        }
    }
    Ok(entries)
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    cap_std::fs::MetadataExt::mode(metadata) & 0o7777
}

/// The mode that most files have on other systems, because here they have none.
#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

impl Found {
    /// The finding as the component gets it, with handles from `push`.
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
