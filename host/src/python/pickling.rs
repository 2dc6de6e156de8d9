//! Pickles flows: takes pickles that are kept, and has a Python make the others.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::process::Child;

use super::{
    Interpreter, PythonError, PythonFacts,
    cache::View,
    session::{Answer, Session, Traced, order},
};
use crate::{
    files::from_everywhere,
    inputs::{Inputs, Listing},
    parallel::aside,
};

/// A flow to pickle out of a `.py` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickleRequest {
    /// The file that defines it.
    pub file: PathBuf,
    /// The flow's name in the file; dots lead to attributes.
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
    /// depend on is added to `inputs`, as far as Python can tell, even if pickling fails, because it may be the reason.
    ///
    /// # Errors
    /// The first error; [`PythonError::request`] tells to which request it belongs.
    pub async fn pickle(
        &self,
        requests: &[PickleRequest],
        directory: &Path,
        inputs: &mut Inputs,
    ) -> Result<(PythonFacts, Vec<Pickled>), PythonError> {
        let requests: Arc<[_]> = requests.iter().map(PickleRequest::absolute).collect();
        let directory = &from_everywhere(directory);
        let Kept { view, mut facts, mut pickled, inputs: read } = self.kept(&requests, directory).await?;
        inputs.extend(read);
        let missing: Vec<_> = (0..requests.len()).filter(|index| pickled[*index].is_none()).collect();
        if facts.is_none() || !missing.is_empty() {
            let executed = match self.guess(&requests, &missing, directory, inputs).await {
                Some(guess) => guess,
                None => {
                    let executed = self.execute(self.start(&[])?, &requests, &missing, directory, inputs).await?;
                    keep(view, requests, executed).await
                }
            };
            for flow in executed.flows {
                pickled[flow.request] = Some(flow.pickled);
            }
            facts = Some(executed.facts);
        }
        let all = facts.zip(pickled.into_iter().collect::<Option<Vec<_>>>());
        all.ok_or_else(|| PythonError::Unusable { program: self.name(), last_line: "a pickle is missing".to_owned() })
    }

    /// The result of the warm Python, if there is one and it succeeds. Its output is dropped, because the next Python
    /// prints the same.
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

    /// What the cache has, if there is one.
    async fn kept(&self, requests: &Arc<[PickleRequest]>, directory: &Path) -> Result<Kept, PythonError> {
        let none = Kept { pickled: vec![None; requests.len()], ..Kept::default() };
        let Some(cache) = self.cache.clone() else { return Ok(none) };
        let (program, requests, directory) = (self.program().to_owned(), Arc::clone(requests), directory.to_owned());
        aside(move || match cache.view(&program) {
            Some(view) => Kept::of(view, &requests, &directory),
            None => Ok(none),
        })
        .await
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
        let mut heard = Heard::new(directory, wanted, inputs);
        for answer in session.answers {
            match answer {
                Answer::Facts(facts) => heard.facts(facts),
                Answer::Begin { request } => heard.current = request,
                Answer::Pickled { request, name } => heard.pickled(request, name),
                Answer::TracePart { reads, listings } => heard.trace_part(reads, listings),
                Answer::Trace(traced) => heard.trace(traced),
                Answer::Done => match heard.done(wanted) {
                    Some(executed) => return Ok(executed),
                    None => break,
                },
                Answer::Refused(refusal) => {
                    return Err(PythonError::refused(refusal, self.name(), heard.current, requests));
                }
            }
        }
        let program = self.name();
        let last_line = session.last_line.unwrap_or_else(|| "it said nothing".to_owned());
        match (heard.facts, requests.get(heard.current)) {
            (Some(_), Some(request)) => {
                let (request, file) = (heard.current, request.file.clone());
                Err(PythonError::Crashed { request, program, file, status: session.status, last_line })
            }
            _ => Err(PythonError::Unusable { program, last_line: format!("{last_line} ({})", session.status) }),
        }
    }
}

/// What the cache has of some requests.
#[derive(Default)]
struct Kept {
    /// None without a cache.
    view: Option<View>,
    facts: Option<PythonFacts>,
    /// One for each request.
    pickled: Vec<Option<Pickled>>,
    inputs: Inputs,
}

impl Kept {
    fn of(mut view: View, requests: &[PickleRequest], directory: &Path) -> Result<Self, PythonError> {
        let mut inputs = Inputs::default();
        let facts = view.facts().map(|hit| {
            inputs.extend(hit.inputs);
            hit.facts
        });
        let mut restored = |(index, request)| {
            let Some(hit) = view.pickle(request) else { return Ok(None) };
            let content = pickle_path(directory, index);
            std::fs::write(&content, &hit.pickle).map_err(PythonError::Unwritten)?;
            inputs.extend(hit.inputs);
            Ok(Some(Pickled { name: hit.name, content }))
        };
        let pickled = requests.iter().enumerate().map(&mut restored).collect::<Result<_, _>>()?;
        Ok(Self { view: Some(view), facts, pickled, inputs })
    }
}

/// Puts new pickles into the cache, if there is one.
async fn keep(view: Option<View>, requests: Arc<[PickleRequest]>, executed: Executed) -> Executed {
    let Some(mut view) = view else { return executed };
    aside(move || {
        view.keep(&requests, &executed);
        executed
    })
    .await
}

/// The result of executing files.
pub(super) struct Executed {
    pub(super) facts: PythonFacts,
    pub(super) flows: Vec<ExecutedFlow>,
}

/// A flow that was pickled just now.
pub(super) struct ExecutedFlow {
    /// The number of its request.
    pub(super) request: usize,
    pub(super) pickled: Pickled,
    /// What the flow was made from, if Python can tell.
    pub(super) made_from: Option<Arc<Traced>>,
}

/// What a Python has answered so far.
struct Heard<'a> {
    directory: &'a Path,
    inputs: &'a mut Inputs,
    facts: Option<PythonFacts>,
    /// The request that Python is working on.
    current: usize,
    flows: Vec<ExecutedFlow>,
    /// Parts of a trace whose end has not come.
    reads: Vec<PathBuf>,
    listings: Vec<(PathBuf, bool)>,
}

impl<'a> Heard<'a> {
    fn new(directory: &'a Path, wanted: &[usize], inputs: &'a mut Inputs) -> Self {
        let (current, flows) = (wanted.first().copied().unwrap_or(0), Vec::with_capacity(wanted.len()));
        Self { directory, inputs, facts: None, current, flows, reads: Vec::new(), listings: Vec::new() }
    }

    fn facts(&mut self, facts: PythonFacts) {
        // Packages that are missing may be installed later.
        facts.path.iter().flatten().for_each(|path| self.inputs.add_listing(path, Listing::Packages));
        self.facts = Some(facts);
    }

    fn pickled(&mut self, request: usize, name: Option<String>) {
        let pickled = Pickled { name, content: pickle_path(self.directory, request) };
        self.flows.push(ExecutedFlow { request, pickled, made_from: None });
    }

    fn trace_part(&mut self, reads: Vec<PathBuf>, listings: Vec<(PathBuf, bool)>) {
        self.reads.extend(reads);
        self.listings.extend(listings);
    }

    /// Takes the trace of a file whose flows are all pickled: what they were made from.
    fn trace(&mut self, mut traced: Traced) {
        traced.reads.append(&mut self.reads);
        traced.listings.append(&mut self.listings);
        traced.reads.iter().for_each(|path| self.inputs.add_file(path));
        traced.listings().for_each(|(path, listing)| self.inputs.add_listing(path, listing));
        let traced = Arc::new(traced);
        let of_file = self.flows.iter_mut().rev().take_while(|flow| flow.made_from.is_none());
        of_file.for_each(|flow| flow.made_from = Some(Arc::clone(&traced)));
    }

    /// The result, if all that was wanted is in it.
    fn done(&mut self, wanted: &[usize]) -> Option<Executed> {
        self.flows.sort_by_key(|flow| flow.request);
        let complete = self.flows.iter().map(|flow| &flow.request).eq(wanted);
        let facts = self.facts.take_if(|_| complete)?;
        Some(Executed { facts, flows: std::mem::take(&mut self.flows) })
    }
}

fn pickle_path(directory: &Path, index: usize) -> PathBuf {
    directory.join(format!("{index}.pickle"))
}

impl PickleRequest {
    /// The request with an absolute path, because the user's code may change the working directory.
    fn absolute(&self) -> Self {
        Self { file: from_everywhere(&self.file), object: self.object.clone() }
    }
}
