//! `flowhold build --watch`
//!
//! A change is planned twice. First with a Python that imported the flows' packages while nobody was waiting: most of
//! what pickling takes is done by then. Then with a new one, as `flowhold build` does it. What that one says counts; it
//! is nearly always the same, and then there is nothing left to build.

use std::{process::ExitCode, sync::Arc, time::SystemTime};

use flowhold::{
    Failure, FailureKind, Plan, Session,
    files::parent_of,
    inputs::Inputs,
    python::{Ahead, Errand},
};
use tokio_util::sync::CancellationToken;

use super::{
    build::Arguments,
    changes::Changes,
    console, exit, interruptible,
    spec_file::{self, SpecFile},
};

/// Builds, and builds again after each change, until it is interrupted.
pub(crate) async fn watch(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Some(spec) = spec_file::path(arguments.spec.file.as_deref(), arguments.path.as_deref()) else {
        return Err(Failure::input("stdin", "standard input can't be watched")
            .with_help("write the spec to a file, and name it with -f".to_owned()));
    };
    let absolute = |error| Failure::of_path(spec.display(), &error);
    let path = std::path::absolute(&spec).map_err(absolute)?;
    let output = std::path::absolute(arguments.output(parent_of(&path))).map_err(absolute)?;
    let mut own = Inputs::default();
    own.add_file(&path);
    arguments.spec.policies.iter().for_each(|policy| own.add_file(policy));
    let (changes, interrupt) = (Changes::of(own, output)?, exit::on_signal());
    let (built, tried, errand, ahead) = (None, None, None, None);
    let mut builds = Builds { arguments, interrupt, changes, built, tried, errand, ahead, trusted: true };
    loop {
        builds.round().await?;
        console::note(&format!("watching {} and what it names; Ctrl-C ends", spec.display()));
        let changed = loop {
            let next = builds.changes.next();
            let changed = exit::until(&builds.interrupt, "files were watched", async { Ok(next.await) }).await?;
            if !changed.by_builds {
                break changed;
            }
            console::note(&format!("note: each build changes {}, which it is made of", changed.names()));
        };
        console::note(&format!("changed: {}", changed.names()));
        // Of the Python that waits, nobody knows any more whether it is the one, and has the packages, that count now.
        if changed.meanwhile || changed.paths.contains(&path) || builds.changes.tell_of_packages(&changed.paths) {
            builds.ahead = None;
        }
    }
}

struct Builds<'a> {
    arguments: &'a Arguments,
    interrupt: CancellationToken,
    changes: Changes,
    /// The resolved spec that was built last, while its image has its name.
    built: Option<String>,
    /// The one that was tried last.
    tried: Option<String>,
    /// What Python was asked for last.
    errand: Option<Errand>,
    /// The Python that pickles first.
    ahead: Option<Arc<Ahead>>,
    /// Whether it has made no mistake.
    trusted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Built,
    /// There was nothing to do.
    Same,
    Failed,
}

/// The code of a failure that no edit mends.
const LOCAL: &str = "local-watched";

impl Builds<'_> {
    /// Builds what is not built yet, and has a new Python confirm what was guessed. An error ends it all.
    async fn round(&mut self) -> Result<(), Failure> {
        self.changes.begin();
        let ahead = self.ahead.take();
        let outcome = self.attempt(ahead.as_ref(), |builds| &builds.built).await?;
        if outcome == Outcome::Same {
            console::note("nothing to do: all is as it was built");
        }
        let guessed = ahead.as_ref().is_some_and(|ahead| ahead.answered());
        if self.trusted {
            let waiting = ahead.filter(|ahead| ahead.waits());
            // One that can't be started is missed by nobody: the next round says why.
            self.ahead = waiting.or_else(|| Some(Arc::new(self.errand.as_ref()?.start_ahead().ok()?)));
        }
        // Where something has changed meanwhile, the next round is of a new Python anyway.
        if guessed && self.changes.since().is_empty() {
            let counts = self.attempt(None, |builds| &builds.tried).await?;
            let contradicted = counts == Outcome::Built || counts == Outcome::Failed && outcome != Outcome::Failed;
            if contradicted && self.changes.since().is_empty() {
                self.distrust(counts);
            }
        }
        Ok(())
    }

    /// Does without guesses from now on.
    fn distrust(&mut self, counts: Outcome) {
        (self.ahead, self.trusted) = (None, false);
        if counts == Outcome::Failed {
            self.built = None;
            console::note("note: what was built is not confirmed: a new Python, which counts, says otherwise");
        } else {
            console::note(
                "note: a new Python, which counts, made other pickles; from now on, each build waits for one",
            );
        }
    }

    /// Plans, and builds unless it is `done`; says what is wrong.
    async fn attempt(
        &mut self,
        ahead: Option<&Arc<Ahead>>,
        done: fn(&Self) -> &Option<String>,
    ) -> Result<Outcome, Failure> {
        match self.build(ahead, done).await {
            Err(failure) if failure.kind != FailureKind::Interrupted && failure.code != LOCAL => {
                console::fail(&failure);
                Ok(Outcome::Failed)
            }
            ended => ended,
        }
    }

    async fn build(
        &mut self,
        ahead: Option<&Arc<Ahead>>,
        done: fn(&Self) -> &Option<String>,
    ) -> Result<Outcome, Failure> {
        let began = SystemTime::now();
        let planned = self.plan(ahead).await;
        let inputs = planned.as_ref().map(|(_, session, _)| session.inputs().clone());
        let watched = self.changes.follow(&inputs.unwrap_or_default(), began);
        let (spec, mut session, plan) = planned?;
        self.errand = session.errand().cloned();
        watched?;
        let resolved = session.resolved_spec(plan).await.ok();
        if resolved.is_some() && resolved == *done(self) {
            return Ok(Outcome::Same);
        }
        if resolved.is_some() {
            refuse_local(&mut session, plan).await?;
            // From here on, the image's name may be another image's.
            (self.built, self.tried) = (None, resolved.clone());
        } else if ahead.is_some_and(|ahead| ahead.answered()) {
            // A new Python is asked now, and then it is said what is wrong.
            return Ok(Outcome::Failed);
        }
        self.arguments.carry_out(&mut session, &spec, plan, &self.interrupt).await?;
        if resolved.is_none() {
            return Ok(Outcome::Failed);
        }
        self.built = resolved;
        Ok(Outcome::Built)
    }

    async fn plan(&self, ahead: Option<&Arc<Ahead>>) -> Result<(SpecFile, Session, Plan), Failure> {
        let spec = self.arguments.read()?;
        // Of the policies as they are now.
        let host = interruptible(self.arguments.spec.host()?, self.arguments.progress.progress, &self.interrupt)?;
        let mut session = host.session().await?;
        if let Some(ahead) = ahead {
            session.use_ahead(Arc::clone(ahead));
        }
        let plan = self.arguments.plan(&mut session, &spec, &self.interrupt).await?;
        Ok((spec, session, plan))
    }
}

/// A flow in a directory is never replaced, and whoever watches flows edits them.
async fn refuse_local(session: &mut Session, plan: Plan) -> Result<(), Failure> {
    let storage = session.storage_of(plan).await?;
    if session.kind(storage).await? != "local" {
        return Ok(());
    }
    Err(Failure::input(LOCAL, "--watch has nothing to build again: a local storage never replaces a flow")
        .with_help("leave --watch out, or take another type of storage".to_owned()))
}
