//! From a spec to its plan.

use std::{
    env,
    path::{Path, PathBuf},
};

use flowhold::{Failure, Need, Plan, Session, SpecText, files::absolute, python};
use tokio_util::sync::CancellationToken;

use super::{
    SpecArguments, console, exit,
    spec_file::{self, SpecFile},
};

/// A spec that was planned, with or without errors.
pub(crate) struct Planned {
    pub(crate) spec: SpecFile,
    pub(crate) session: Session,
    pub(crate) plan: Plan,
    pub(crate) interrupt: CancellationToken,
}

impl SpecArguments {
    /// Reads the spec and plans it, on a host without Docker.
    pub(crate) async fn plan(&self, need: Need) -> Result<Planned, Failure> {
        let spec = spec_file::read(self.file.as_deref(), None)?;
        let mut session = self.host()?.build()?.session().await?;
        let interrupt = exit::on_signal();
        let plan = plan(&mut session, &spec.text, self.python.as_deref(), need, &interrupt).await?;
        Ok(Planned { spec, session, plan, interrupt })
    }
}

/// Plans, unless it is interrupted, and shows what the flows' files print while they are pickled.
pub(crate) async fn plan(
    session: &mut Session,
    spec: &SpecText,
    python: Option<&str>,
    need: Need,
    interrupt: &CancellationToken,
) -> Result<Plan, Failure> {
    let (lines, mut printed) = tokio::sync::mpsc::channel(64);
    session.print_to(Some(lines));
    session.keep_pickles_in(pickles());
    // A path from the command line is relative to the current directory; one in a spec, to the spec's folder.
    let python = python.map(|chosen| python::path_of(chosen, Path::new("")).map_or(chosen.into(), from_here));
    let show = |line: String| console::note(&format!("    {}", flowhold::progress::clean(&line)));
    let planned = {
        let planning = exit::until(interrupt, "reading the spec", session.plan(spec, python.as_deref(), need));
        tokio::pin!(planning);
        loop {
            tokio::select! {
                biased;
                planned = &mut planning => break planned,
                Some(line) = printed.recv() => show(line),
            }
        }
    };
    session.print_to(None);
    while let Ok(line) = printed.try_recv() {
        show(line);
    }
    planned
}

fn from_here(path: PathBuf) -> String {
    absolute(&path).unwrap_or(path).display().to_string()
}

/// Where pickles are kept: in the directory that `FLOWHOLD_CACHE` names, nowhere if it is `off`, else in the operating
/// system's directory for a user's caches.
fn pickles() -> Option<PathBuf> {
    let ours = match env::var_os("FLOWHOLD_CACHE").filter(|value| !value.is_empty()) {
        Some(off) if off == "off" => return None,
        Some(directory) => PathBuf::from(directory),
        None => users_caches()?.join("flowhold"),
    };
    Some(ours.join("pickles"))
}

fn users_caches() -> Option<PathBuf> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::home_dir().filter(|path| path.is_absolute());
    if cfg!(windows) {
        named("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        named("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))
    }
}
