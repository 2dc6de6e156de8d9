//! A Python that has already imported what the flows' files import when it is asked to pickle.
//!
//! Nearly all of the time that pickling an edited flow takes goes into importing packages, which nobody has edited. The
//! result is a guess: a package may import otherwise if the file has, say, set a variable before. So it is never kept,
//! and a build from it is planned again afterwards.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::process::Child;

use super::{Interpreter, PythonError};

/// The most files that are imported for: further ones hardly import anything else.
const FILES: usize = 100;

/// A Python that waits to be asked, once; it ends when this is dropped.
#[derive(Debug)]
pub struct WarmPython {
    child: Mutex<Option<Child>>,
    answered: AtomicBool,
}

impl WarmPython {
    /// Whether it still waits to be asked.
    pub fn waits(&self) -> bool {
        self.child.lock().is_ok_and(|child| child.is_some())
    }

    /// Whether it has pickled flows.
    pub fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn has_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> Option<Child> {
        self.child.lock().ok()?.take()
    }
}

/// A Python, and the files whose flows it is asked to pickle.
#[derive(Debug, Clone)]
pub struct PickleJob {
    pub(crate) interpreter: Interpreter,
    pub(crate) files: BTreeSet<PathBuf>,
}

impl PickleJob {
    /// Starts the Python, which imports what the files import, and waits.
    ///
    /// # Errors
    /// If the Python can't be started.
    pub fn start_warm(&self) -> Result<WarmPython, PythonError> {
        let child = self.interpreter.start(self.files.iter().take(FILES))?;
        Ok(WarmPython { child: Mutex::new(Some(child)), answered: AtomicBool::new(false) })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc, time::Duration};

    use tempfile::TempDir;

    use crate::inputs::Inputs;

    use super::{
        super::{
            PythonError,
            tests::{PYTHON, folder, printed, requests, run},
        },
        *,
    };

    /// Says whether its package was imported before it was executed.
    const FLOW: &str = "import sys\nEARLY = 'decimal' in sys.modules\nimport decimal\nfrom helper import WHO\n\
                        def flow(): print(EARLY, WHO, decimal.Decimal(1))\n";

    fn project(flow: &str) -> TempDir {
        folder(&[("flow.py", flow), ("helper.py", "WHO = 'before'\n")])
    }

    fn start(folder: &TempDir) -> WarmPython {
        let files = ["flow.py", "gone.py"].map(|name| folder.path().join(name)).into();
        PickleJob { interpreter: PYTHON.clone(), files }.start_warm().unwrap()
    }

    /// A Python that has done what it can before it is asked.
    async fn warm(folder: &TempDir, last: &str) -> Arc<WarmPython> {
        let warm = start(folder);
        let child = warm.child.lock().unwrap().as_ref().and_then(tokio::process::Child::id).unwrap();
        let maps = Path::new("/proc").join(child.to_string()).join("maps");
        for _ in 0..6000 {
            if fs::read_to_string(&maps).unwrap().contains(last) {
                return Arc::new(warm);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it has not imported {last}");
    }

    async fn pickle(python: &Interpreter, folder: &TempDir) -> Result<String, PythonError> {
        let wanted = requests(folder, &[("flow.py", "flow")]);
        let (_, pickled) = python.pickle(&wanted, folder.path(), &mut Inputs::default()).await?;
        Ok(printed(&run(&pickled[0])))
    }

    #[tokio::test]
    async fn packages_are_imported_before_and_the_users_own_modules_are_not() {
        let folder = project(FLOW);
        let python = PYTHON.clone().with_warm(warm(&folder, "_decimal").await);
        fs::write(folder.path().join("helper.py"), "WHO = 'edited'\n").unwrap();
        assert_eq!(pickle(&python, &folder).await.unwrap(), "True edited 1");
        // The warm Python answers only once.
        assert_eq!(pickle(&python, &folder).await.unwrap(), "False edited 1");
    }

    #[tokio::test]
    async fn what_it_says_is_not_kept() {
        let folder = project(FLOW);
        let kept = PYTHON.clone().keeping_in(folder.path().join("cache"));
        let guessing = kept.clone().with_warm(warm(&folder, "_decimal").await);
        assert_eq!(pickle(&guessing, &folder).await.unwrap(), "True before 1");
        assert_eq!(pickle(&kept, &folder).await.unwrap(), "False before 1");
    }

    #[tokio::test]
    async fn the_same_flow_gives_the_same_bytes() {
        let flow = "import decimal, json, typing\nfrom helper import WHO\nclass Flow:\n  name = WHO\n  known = {'a', 'b', 'c'}\n  \
                    def run(self) -> typing.List[str]: return json.dumps(sorted(self.known))\nflow = Flow()\n";
        let (first, second) = (project(flow), project(flow));
        let python = PYTHON.clone().with_warm(warm(&first, "_decimal").await);
        pickle(&python, &first).await.unwrap();
        pickle(&PYTHON, &second).await.unwrap();
        let bytes = |folder: &TempDir| fs::read(folder.path().join("0.pickle")).unwrap();
        assert_eq!(bytes(&first), bytes(&second));
    }

    #[tokio::test]
    async fn where_it_fails_a_new_one_says_why() {
        let folder = project("import decimal\n");
        let (tell, mut told) = tokio::sync::mpsc::channel(64);
        let python = PYTHON.clone().printing_to(tell).with_warm(warm(&folder, "_decimal").await);
        fs::write(folder.path().join("flow.py"), "print('once')\nimport decimal\nimport none_such\n").unwrap();
        let error = pickle(&python, &folder).await.unwrap_err();
        assert!(matches!(&error, PythonError::Import { line: Some(3), .. }), "{error}");
        assert!(!python.warm.unwrap().answered());
        assert_eq!(told.recv().await.as_deref(), Some("once"));
        assert!(told.try_recv().is_err());
    }

    /// Whatever is in a file, the Python waits.
    #[tokio::test]
    async fn it_waits_for_files_that_can_not_be_read() {
        for text in ["import none_such\nimport decimal\n", "import\n", "\0"] {
            let folder = project(text);
            let warm = start(&folder);
            fs::write(folder.path().join("flow.py"), "from helper import WHO\ndef flow(): print(WHO)\n").unwrap();
            let python = PYTHON.clone().with_warm(Arc::new(warm));
            assert_eq!(pickle(&python, &folder).await.unwrap(), "before");
            assert!(python.warm.unwrap().answered());
        }
    }
}
