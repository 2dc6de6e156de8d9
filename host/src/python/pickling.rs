//! Flows are pickled: what is kept is taken, and the rest is asked of a Python.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::process::Child;

use super::{
    Interpreter, PythonError, PythonFacts, cache,
    session::{Answer, Session, Traced, order},
};
use crate::{
    files::from_everywhere,
    inputs::{Inputs, Listing},
};

/// A flow to pickle out of a `.py` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickleRequest {
    /// The file that defines it.
    pub file: PathBuf,
    /// Its name in the file; dots lead to attributes.
    pub object: String,
}

/// A flow that was pickled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pickled {
    /// The object's own `.name`, if it has one.
    pub name: Option<String>,
    /// The file with its bytes.
    pub content: PathBuf,
}

impl Interpreter {
    /// Pickles all requests in one process, each file executed once, to `directory/0.pickle`, `1.pickle`, ….
    ///
    /// The bytes depend on the files' contents and the packages they use, not on the run or the folder. What else they
    /// were made from is added to `inputs`, as far as Python can tell: also where it fails, and so may be the reason.
    ///
    /// # Errors
    /// The first thing that went wrong; [`PythonError::request`] tells for which request.
    pub async fn pickle(
        &self,
        requests: &[PickleRequest],
        directory: &Path,
        inputs: &mut Inputs,
    ) -> Result<(PythonFacts, Vec<Pickled>), PythonError> {
        let requests: Vec<_> = requests.iter().map(PickleRequest::absolute).collect();
        let directory = &from_everywhere(directory);
        let mut view = self.cache.as_ref().and_then(|cache| cache.view(self.program()));
        let mut facts = view.as_mut().and_then(cache::View::facts).map(|hit| {
            inputs.extend(hit.inputs);
            hit.facts
        });
        let (mut pickled, mut missing) = (vec![None; requests.len()], Vec::new());
        for (index, request) in requests.iter().enumerate() {
            match view.as_mut().and_then(|view| view.pickle(request)) {
                Some(hit) => {
                    pickled[index] = Some(Self::restored(&hit, pickle_path(directory, index))?);
                    inputs.extend(hit.inputs);
                }
                None => missing.push(index),
            }
        }
        if facts.is_none() || !missing.is_empty() {
            let executed = match self.guess(&requests, &missing, directory, inputs).await {
                Some(guess) => guess,
                None => {
                    let executed = self.execute(self.start(&[])?, &requests, &missing, directory, inputs).await?;
                    if let Some(view) = &mut view {
                        view.keep(&requests, &executed);
                    }
                    executed
                }
            };
            for (index, made, _) in executed.pickled {
                pickled[index] = Some(made);
            }
            facts = Some(executed.facts);
        }
        let all = facts.zip(pickled.into_iter().collect::<Option<Vec<_>>>());
        all.ok_or_else(|| PythonError::Unusable { program: self.name(), last_line: "a pickle is missing".to_owned() })
    }

    /// What the Python makes of it that was started before, if there is one and it can. What it prints is dropped: the
    /// next one prints the same.
    async fn guess(
        &self,
        requests: &[PickleRequest],
        wanted: &[usize],
        directory: &Path,
        inputs: &mut Inputs,
    ) -> Option<Executed> {
        let warm = self.warm.as_ref()?;
        let child = warm.take()?;
        let mut silent = self.clone();
        silent.printed = None;
        let executed = silent.execute(child, requests, wanted, directory, inputs).await.ok()?;
        warm.has_answered();
        Some(executed)
    }

    fn restored(hit: &cache::Hit, content: PathBuf) -> Result<Pickled, PythonError> {
        std::fs::write(&content, &hit.pickle).map_err(PythonError::Unwritten)?;
        Ok(Pickled { name: hit.name.clone(), content })
    }

    /// Has a Python execute the files of these requests.
    async fn execute(
        &self,
        child: Child,
        requests: &[PickleRequest],
        wanted: &[usize],
        directory: &Path,
        inputs: &mut Inputs,
    ) -> Result<Executed, PythonError> {
        let order = order(requests, wanted, directory)?;
        let session = Session::hold(child, &order, self.printed.as_ref()).await;
        let session = session.map_err(|source| PythonError::Process { program: self.name(), source })?;
        let (mut facts, mut current) = (None::<PythonFacts>, wanted.first().copied().unwrap_or(0));
        let mut pickled: Vec<(usize, Pickled, Option<Arc<Traced>>)> = Vec::with_capacity(wanted.len());
        let mut unfinished = (Vec::new(), Vec::new());
        for answer in session.answers {
            match answer {
                Answer::Facts(found) => {
                    // What is missing may be installed.
                    found.path.iter().flatten().for_each(|path| inputs.add_listing(path, Listing::Packages));
                    facts = Some(found);
                }
                Answer::Begin { request } => current = request,
                Answer::Pickled { request, name } => {
                    pickled.push((request, Pickled { name, content: pickle_path(directory, request) }, None));
                }
                Answer::TracePart { reads, listings } => {
                    unfinished.0.extend(reads);
                    unfinished.1.extend(listings);
                }
                Answer::Trace(mut traced) => {
                    let (reads, listings) = std::mem::take(&mut unfinished);
                    traced.reads.extend(reads);
                    traced.listings.extend(listings);
                    traced.reads.iter().for_each(|path| inputs.add_file(path));
                    traced.listings().for_each(|(path, listing)| inputs.add_listing(path, listing));
                    let traced = Arc::new(traced);
                    let of_file = pickled.iter_mut().rev().take_while(|(_, _, traced)| traced.is_none());
                    of_file.for_each(|(_, _, of)| *of = Some(Arc::clone(&traced)));
                }
                Answer::Done => {
                    pickled.sort_by_key(|(request, ..)| *request);
                    let complete = pickled.iter().map(|(request, ..)| request).eq(wanted);
                    match facts {
                        Some(facts) if complete => return Ok(Executed { facts, pickled }),
                        _ => break,
                    }
                }
                Answer::Refused(refusal) => return Err(PythonError::refused(refusal, self.name(), current, requests)),
            }
        }
        let program = self.name();
        let last_line = session.last_line.unwrap_or_else(|| "it said nothing".to_owned());
        match (facts, requests.get(current)) {
            (Some(_), Some(request)) => {
                let file = request.file.clone();
                Err(PythonError::Crashed { request: current, program, file, status: session.status, last_line })
            }
            _ => Err(PythonError::Unusable { program, last_line: format!("{last_line} ({})", session.status) }),
        }
    }
}

/// What came of executing files.
pub(super) struct Executed {
    pub(super) facts: PythonFacts,
    /// By the numbers of their requests; what they were made from, where Python can tell.
    pub(super) pickled: Vec<(usize, Pickled, Option<Arc<Traced>>)>,
}

fn pickle_path(directory: &Path, index: usize) -> PathBuf {
    directory.join(format!("{index}.pickle"))
}

impl PickleRequest {
    /// The user's code may change the working directory.
    fn absolute(&self) -> Self {
        Self { file: from_everywhere(&self.file), object: self.object.clone() }
    }
}
