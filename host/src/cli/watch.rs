//! `flowhold build --watch`
//!
//! A change is planned twice: first with a Python that imported the flows' packages while nobody was waiting, which
//! saves most of the time that pickling takes, and then with a new Python, as `flowhold build` does. The second plan
//! counts; it is nearly always the same as the first, and then there is nothing left to build.

use std::{convert::Infallible, sync::Arc};

use flowhold::{
    Failure, FailureKind, Plan, Session,
    files::{absolute, parent_of},
    inputs::Inputs,
    python::{PickleJob, WarmPython},
};
use tokio_util::sync::CancellationToken;

use super::{
    build::{Arguments, show_diagnostics},
    changes::Changes,
    console, exit, interruptible,
    spec_file::{self, SpecFile},
    store,
};

/// The code of the failure that no edit of a flow mends, so that watching ends.
const LOCAL: &str = "local";

/// Builds, and builds again after each change, until interrupted.
pub(crate) async fn watch(arguments: &Arguments) -> Result<Infallible, Failure> {
    let Some(spec) = spec_file::path(arguments.spec.file.as_deref(), arguments.path.as_deref()) else {
        return Err(Failure::input("stdin", "standard input can't be watched")
            .with_help("write the spec to a file, and name it with -f"));
    };
    let failure = |error| Failure::of_path(spec.display(), &error);
    let path = absolute(&spec).map_err(failure)?;
    let output = absolute(&arguments.output(parent_of(&path))).map_err(failure)?;
    let mut own = Inputs::default();
    own.add_file(&path);
    arguments.spec.policies.iter().for_each(|policy| own.add_file(policy));
    let changes = Changes::of(own, output)?;
    let interrupt = exit::on_signal();
    let mut builds = Builds { arguments, interrupt, changes, last: None, job: None, warm: None, trusted: true };
    loop {
        builds.round().await?;
        console::note(&format!("watching {} and what it names; press Ctrl-C to stop", spec.display()));
        let changed = loop {
            let next = builds.changes.next();
            let changed = exit::until(&builds.interrupt, "watching files", async { Ok(next.await) }).await?;
            if !changed.by_itself {
                break changed;
            }
            console::note(&format!("note: each build changes {}, one of its own inputs", changed.names()));
        };
        console::note(&format!("changed: {}", changed.names()));
        // After such a change, the waiting Python may no longer be the right one, or have outdated packages.
        if changed.meanwhile || changed.paths.contains(&path) || builds.changes.tell_of_packages(&changed.paths) {
            builds.warm = None;
        }
    }
}

struct Builds<'a> {
    arguments: &'a Arguments,
    interrupt: CancellationToken,
    changes: Changes,
    last: Option<Last>,
    /// What Python was asked to pickle last.
    job: Option<PickleJob>,
    /// The warm Python, which pickles first.
    warm: Option<Arc<WarmPython>>,
    /// Whether the warm Python has made no mistake.
    trusted: bool,
}

/// The spec that was tried last.
struct Last {
    resolved: String,
    /// The spec was built, and the image's name still stands for that image.
    stands: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Built,
    /// There was nothing to do.
    Same,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    /// With a new Python, which shows whether it gives the spec that was tried.
    Second,
}

impl Builds<'_> {
    /// Builds what is not built yet, and has a new Python confirm what was guessed. An error ends watching.
    async fn round(&mut self) -> Result<(), Failure> {
        self.changes.begin();
        let warm = self.warm.take();
        let outcome = self.attempt(Attempt::First, warm.as_ref()).await?;
        if outcome == Outcome::Same {
            console::note("nothing to do: all is as it was built");
        }
        let guessed = warm.as_ref().is_some_and(|warm| warm.answered());
        if self.trusted {
            let waiting = warm.filter(|warm| warm.waits());
            // If none can be started, nothing is lost: the next round says why.
            self.warm = waiting.or_else(|| Some(Arc::new(self.job.as_ref()?.start_warm().ok()?)));
        }
        // If something has changed meanwhile, the next round uses a new Python anyway.
        if guessed && self.changes.are_none() {
            let counts = self.attempt(Attempt::Second, None).await?;
            let contradicted = counts == Outcome::Built || counts == Outcome::Failed && outcome != Outcome::Failed;
            if contradicted && self.changes.are_none() {
                self.distrust(counts);
            }
        }
        Ok(())
    }

    /// Uses no guesses from now on.
    fn distrust(&mut self, counts: Outcome) {
        (self.warm, self.trusted) = (None, false);
        if counts == Outcome::Failed {
            self.last = None;
            console::note(
                "note: the build could not be confirmed: with a fresh Python, whose result counts, it failed",
            );
        } else {
            console::note(
                "note: a fresh Python, whose result counts, pickled differently; from now on, each build waits for one",
            );
        }
    }

    /// Plans, and builds what is not built; says what is wrong.
    async fn attempt(&mut self, attempt: Attempt, warm: Option<&Arc<WarmPython>>) -> Result<Outcome, Failure> {
        match self.build(attempt, warm).await {
            Err(failure) if failure.kind == FailureKind::Interrupted || failure.code == LOCAL => Err(failure),
            Err(failure) => {
                console::fail(&failure);
                Ok(Outcome::Failed)
            }
            outcome => outcome,
        }
    }

    async fn build(&mut self, attempt: Attempt, warm: Option<&Arc<WarmPython>>) -> Result<Outcome, Failure> {
        let planned = self.plan(warm).await;
        let inputs = planned.as_ref().map(|(_, session, _)| session.inputs().clone());
        let watched = self.changes.follow(&inputs.unwrap_or_default());
        let (spec, mut session, plan) = planned?;
        self.job = session.pickle_job().cloned();
        let resolved = session.resolved_spec(plan).await.ok();
        let known = self.last.as_ref().filter(|last| Some(&last.resolved) == resolved.as_ref());
        let (tried, stands) = (known.is_some(), known.is_some_and(|last| last.stands));
        if resolved.is_none() && warm.is_some_and(|warm| warm.answered()) {
            // The next attempt uses a new Python, and says what is wrong.
            return Ok(Outcome::Failed);
        }
        if tried && attempt == Attempt::Second {
            return Ok(Outcome::Same);
        }
        // Shown even if nothing is built: a policy may judge differently now.
        show_diagnostics(&mut session, &spec, plan).await?;
        let Some(resolved) = resolved else { return watched.map(|()| Outcome::Failed) };
        if stands {
            return Ok(Outcome::Same);
        }
        let storage = session.storage_of(plan).await?;
        if store::is_local(&mut session, storage).await? {
            return Err(Failure::input(
                LOCAL,
                "--watch has nothing to build again: a local storage never replaces a flow",
            )
            .with_help("leave --watch out, or take another type of storage"));
        }
        // From here on, the name of the last image may stand for another image.
        self.last = Some(Last { resolved, stands: false });
        self.arguments.store(&mut session, &spec, plan, storage, &self.interrupt).await?;
        self.last.iter_mut().for_each(|last| last.stands = true);
        watched.map(|()| Outcome::Built)
    }

    async fn plan(&self, warm: Option<&Arc<WarmPython>>) -> Result<(SpecFile, Session, Plan), Failure> {
        let spec = self.arguments.read()?;
        // A new host each time, for the policies as they are now.
        let host = interruptible(self.arguments.spec.host()?, self.arguments.progress.progress, &self.interrupt)?;
        let mut session = host.session().await?;
        if let Some(warm) = warm {
            session.use_warm(Arc::clone(warm));
        }
        let plan = self.arguments.plan(&mut session, &spec, &self.interrupt).await?;
        Ok((spec, session, plan))
    }
}
