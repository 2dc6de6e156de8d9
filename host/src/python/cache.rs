//! Pickles that were made before, by a Python, of files and with packages that are the same still.
//!
//! Starting Python and importing what a flow imports takes longer than all else that a build of an unchanged flow
//! does. And a file that asks for the time or for randomness makes another pickle each time, though nobody edited it.
//!
//! An entry holds for as long as everything is the same that its pickle was made from: the file, what it read, listed
//! and imported (`pickle_flows.py` says what), the interpreter, the packages on its path by name and version, the
//! environment and the working directory. Not watched is whether a file exists that nobody opened, and what is read
//! without Python's help (as packages for HDF5 and Arrow do, and a database that another attaches).

mod fingerprint;

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

/// No entry is larger: storages with larger flows can't be read.
const LARGEST_ENTRY: u64 = 512 << 20;
/// Entries that nobody has used for this long are removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Variables that differ from shell to shell, and that no flow is made of.
const VOLATILE: [&str; 8] = ["_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "WINDOWID", "INVOCATION_ID"];

/// A directory of entries, each with a file of its own.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// The entries as one call of an interpreter sees them.
pub(super) struct View<'c> {
    cache: &'c Cache,
    /// As it is started, and the file that this leads to.
    program: PathBuf,
    setting: Setting,
    began: SystemTime,
    /// The same moment, as no clock tells it that can be set.
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

/// A file in the cache: this as JSON in one line, then the pickle.
#[derive(Serialize, Deserialize)]
struct Entry {
    setting: Setting,
    facts: PythonFacts,
    name: Option<String>,
    /// Paths, and the digests of what is there; none if nothing is.
    reads: Vec<(PathBuf, Option<String>)>,
    listings: Vec<(PathBuf, Listing, Option<String>)>,
    pickle: String,
}

/// What was found for a request.
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

    /// The entries for a program; none if it can't be told what is run under its name, or others can write them.
    pub(super) fn view(&self, program: &Path) -> Option<View<'_>> {
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

impl View<'_> {
    /// What an interpreter is and has, if it was asked before.
    pub(super) fn facts(&mut self) -> Option<Hit> {
        self.load(self.place(None))
    }

    /// The pickle of a request, if there is one and it would be made the same way.
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
            // What is used stays.
            let _ = file.set_modified(self.began);
        }
        let mut inputs = Inputs::default();
        entry.reads.iter().for_each(|(path, _)| inputs.add_file(path));
        entry.listings.iter().for_each(|(path, listing, _)| inputs.add_listing(path, *listing));
        Some(Hit { facts: entry.facts, name: entry.name, pickle: pickle.to_vec(), inputs })
    }

    /// Keeps what was asked of Python. Where that fails, nobody is told: Python is asked again next time.
    pub(super) fn keep(&mut self, requests: &[PickleRequest], executed: &Executed) {
        // What is started may start another program, by rules of its own.
        if fs::canonicalize(&executed.facts.executable).ok().as_ref() != Some(&self.setting.executable) {
            return;
        }
        // Whoever sets the clock back makes files look old that were edited after Python had read them.
        let passed = SystemTime::now().duration_since(self.began);
        if !passed.is_ok_and(|passed| passed.abs_diff(self.started.elapsed()) < SETTLED) {
            return;
        }
        let _ = self.keep_entry(None, &executed.facts, None, Vec::new(), Vec::new(), &[]);
        for (index, pickled, traced) in &executed.pickled {
            if let Some(traced) = traced.as_ref().filter(|traced| traced.complete) {
                let _ = self.keep_pickle(&requests[*index], &executed.facts, pickled, traced);
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
        // As Python read it, whatever it is by now.
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

    /// Where the entry of a request is, or that of the facts.
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

    /// Once a day: removes what nobody used for long, half-written files as well.
    fn clean(&self) -> io::Result<()> {
        let now = SystemTime::now();
        let marker = self.folder.join("cleaned");
        let age =
            |path: &Path| Ok::<_, io::Error>(now.duration_since(fs::metadata(path)?.modified()?).unwrap_or_default());
        if age(&marker).is_ok_and(|age| age < DAY) {
            return Ok(());
        }
        // In the place of whatever is there, and not where a link leads.
        tempfile::NamedTempFile::new_in(&self.folder)?.persist(&marker)?;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if age(&path).is_ok_and(|age| age > KEPT) {
                // What is no entry stays.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// Whether a folder is the user's, and nobody else can write to it; also where it is missing.
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

/// What a bare name stands for.
fn on_path(name: &Path) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tempfile::TempDir;

    use super::{
        super::{
            Interpreter, PythonError,
            tests::{PYTHON, facts as asked, folder, requests, succeed},
        },
        fingerprint::{LARGEST, STEP},
        *,
    };

    /// Another pickle each time that it is executed.
    const FLOW: &str = "import os\nTOKEN = os.urandom(16)\ndef flow(): return TOKEN\n";

    /// A folder whose files nobody has touched for a while.
    fn settled(files: &[(&str, &str)]) -> TempDir {
        let folder = folder(files);
        for (name, _) in files {
            settle(&folder.path().join(name));
        }
        std::thread::sleep(2 * STEP);
        folder
    }

    fn settle(path: &Path) {
        make_older(path, 2 * SETTLED);
    }

    fn make_older(path: &Path, age: Duration) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        settle(path);
        std::thread::sleep(2 * STEP);
    }

    struct Project {
        folder: TempDir,
        python: Interpreter,
        pickles: TempDir,
    }

    impl Project {
        fn new(files: &[(&str, &str)]) -> Self {
            Self::of(&PYTHON, files)
        }

        fn of(python: &Interpreter, files: &[(&str, &str)]) -> Self {
            let folder = settled(files);
            let mut python = python.clone();
            python.cache = Some(Cache::new(folder.path().join("cache")));
            Self { folder, python, pickles: tempfile::tempdir().unwrap() }
        }

        async fn try_pickle(&self, file: &str) -> Result<Vec<u8>, PythonError> {
            let requests = requests(&self.folder, &[(file, "flow")]);
            let (_, pickled) = self.python.pickle(&requests, self.pickles.path(), &mut Inputs::default()).await?;
            Ok(fs::read(&pickled[0].content).unwrap())
        }

        async fn pickle(&self) -> Vec<u8> {
            self.try_pickle("flow.py").await.unwrap()
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }
    }

    #[tokio::test]
    async fn an_unchanged_flow_is_pickled_once() {
        let project = Project::new(&[("flow.py", FLOW), ("other.py", FLOW)]);
        let first = project.pickle().await;
        let other = project.try_pickle("other.py").await.unwrap();
        assert_ne!(first, other);
        assert_eq!(project.pickle().await, first);
        // Together with one that has to be executed, too.
        write(&project.path("other.py"), &FLOW.replace("TOKEN", "SALT"));
        let wanted = requests(&project.folder, &[("other.py", "flow"), ("flow.py", "flow")]);
        let inputs = &mut Inputs::default();
        let (facts, pickled) = project.python.pickle(&wanted, project.pickles.path(), inputs).await.unwrap();
        assert_ne!(fs::read(&pickled[0].content).unwrap(), other);
        assert_eq!(fs::read(&pickled[1].content).unwrap(), first);
        assert_eq!(asked(&project.python).await.unwrap(), facts);
    }

    #[tokio::test]
    async fn whatever_a_flow_is_made_of_counts() {
        let reading = "import os\nhere = os.path.dirname(__file__)\ntry:\n  DATA = open(here + '/data').read()\nexcept OSError:\n  DATA = ''\n";
        let listing = "import os\nFILES = len(os.listdir(os.path.dirname(__file__) + '/sub'))\n";
        let importing = "import helper\n";
        let databases = "import os, sqlite3\nsqlite3.connect(os.path.dirname(__file__) + '/data')\n";
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("the file", "", "flow.py", "import os\ndef flow(who=os.urandom(16)): return 'edited'\n"),
            ("a file that it reads", reading, "data", "other"),
            ("a file that it looked for", &reading.replace("/data", "/new"), "new", "here"),
            ("a file that it might write, too", &reading.replace("'/data'", "'/data', 'r+'"), "data", "other"),
            ("a database", databases, "data", "other"),
            ("what was written to it last", databases, "data-wal", "other"),
            ("a directory that it lists", listing, "sub/two", ""),
            ("a module beside it", importing, "helper.py", "WHO = 'other'\n"),
            ("a module in front of another", importing, "deeper.pyc", ""),
        ];
        for (what, before, changed, text) in cases {
            let flow = format!("{before}{FLOW}");
            let files = [("flow.py", flow.as_str()), ("helper.py", "WHO = 'me'\n"), ("data", "one"), ("sub/one", "")];
            let project = Project::new(&files);
            let first = project.pickle().await;
            assert_eq!(project.pickle().await, first, "{what}");
            write(&project.path(changed), text);
            let second = project.pickle().await;
            assert_ne!(second, first, "{what}");
            assert_eq!(project.pickle().await, second, "{what}");
        }
    }

    #[tokio::test]
    async fn what_is_no_file_of_a_size_to_be_read_is_another() {
        let reading = "import os\ntry:\n  DATA = len(open(os.path.dirname(__file__) + '/new').read(1))\nexcept OSError:\n  DATA = 0\n";
        let project = Project::new(&[("flow.py", &format!("{reading}{FLOW}"))]);
        let first = project.pickle().await;
        assert_eq!(project.pickle().await, first);
        let large = fs::File::create(project.path("new")).unwrap();
        large.set_len(LARGEST + 1).unwrap();
        settle(&project.path("new"));
        assert_ne!(project.pickle().await, first);
    }

    /// As old as it says that it is.
    #[tokio::test]
    async fn what_takes_a_files_place_while_it_is_read_counts() {
        let replacing = "import os\nos.chdir(os.path.dirname(__file__))\nDATA = open('data').read()\n\
                         if os.path.exists('later'): os.replace('later', 'data')\ndef flow(): return DATA\n";
        let project = Project::new(&[("flow.py", replacing), ("data", "one"), ("later", "two")]);
        let first = project.pickle().await;
        assert_ne!(project.pickle().await, first);
    }

    #[tokio::test]
    async fn of_very_many_files_each_counts() {
        // In paths so long that they are more than a line of an answer may be.
        let deep = vec!["d".repeat(200); 10].join("/");
        let names: Vec<_> = (0..600).map(|number| format!("{deep}/{number:03}")).collect();
        let reading = format!(
            "import os\nos.chdir(os.path.dirname(__file__))\nDATA = [open('{deep}/%03d' % n).read() for n in range(600)]\n"
        );
        let flow = format!("{reading}{FLOW}");
        let files: Vec<_> =
            names.iter().map(|name| (name.as_str(), "one")).chain([("flow.py", flow.as_str())]).collect();
        let project = Project::new(&files);
        let first = project.pickle().await;
        assert_eq!(project.pickle().await, first);
        for changed in [0, 300, 599] {
            let before = project.pickle().await;
            write(&project.path(&names[changed]), "other");
            assert_ne!(project.pickle().await, before, "{changed}");
        }
    }

    #[tokio::test]
    async fn what_only_lies_beside_a_flow_does_not_count() {
        let project = Project::new(&[("flow.py", &format!("import helper\n{FLOW}")), ("helper.py", "")]);
        let first = project.pickle().await;
        for name in ["storage.json", "notes.txt", "__pycache__/x.pyc"] {
            fs::create_dir_all(project.path(name).parent().unwrap()).unwrap();
            write(&project.path(name), "");
            assert_eq!(project.pickle().await, first, "{name}");
        }
    }

    /// A virtual environment with the packages of the tests' own Python, and the folder for more.
    fn environment(home: &Path) -> (Interpreter, PathBuf) {
        succeed(Command::new(PYTHON.program()).args(["-m", "venv", "--without-pip", "env"]).current_dir(home));
        let packages = |python: &Path| {
            let code = "import sysconfig; print(sysconfig.get_path('purelib'))";
            let said = succeed(Command::new(python).args(["-c", code])).stdout;
            PathBuf::from(String::from_utf8(said).unwrap().trim())
        };
        let own = packages(&home.join("env/bin/python"));
        fs::write(own.join("shared.pth"), packages(PYTHON.program()).to_str().unwrap()).unwrap();
        (Interpreter::find(Some("env/bin/python"), home).unwrap(), own)
    }

    #[tokio::test]
    async fn another_version_of_a_package_counts() {
        let home = tempfile::tempdir().unwrap();
        let (python, packages) = environment(home.path());
        fs::create_dir(packages.join("rows-1.0.dist-info")).unwrap();
        let project = Project::of(&python, &[("flow.py", FLOW)]);
        let first = project.pickle().await;
        assert_eq!(project.pickle().await, first);
        fs::rename(packages.join("rows-1.0.dist-info"), packages.join("rows-1.1.dist-info")).unwrap();
        assert_ne!(project.pickle().await, first);
    }

    /// Starts a Python, in the way in which multiprocessing does so.
    const SPAWNED: &str = "
import multiprocessing.util, os, sys
os.waitpid(multiprocessing.util.spawnv_passfds(os.fsencode(sys.executable), ['python', '-c', ''], []), 0)
";

    #[tokio::test]
    async fn a_file_in_memory_is_a_file() {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::write(memory.path().join("data"), "").unwrap();
        settle(&memory.path().join("data"));
        let reading = format!("open({:?}).read()\n", memory.path().join("data"));
        let project = Project::new(&[("flow.py", &format!("{reading}{FLOW}"))]);
        let first = project.pickle().await;
        assert_eq!(project.pickle().await, first);
        write(&memory.path().join("data"), "other");
        assert_ne!(project.pickle().await, first);
    }

    #[tokio::test]
    async fn what_can_not_be_asked_for_again_is_not_kept() {
        let cases = [
            ("a program's answer", "import subprocess\nsubprocess.run(['true'])\n", false),
            ("another machine's answer", "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\n", false),
            ("one without a connection", "import socket\nsocket.socket(type=2).sendto(b'', ('127.0.0.1', 9))\n", false),
            ("a name's address", "import socket\nsocket.gethostbyname('localhost')\n", false),
            (
                "an address's name",
                "import socket\nsocket.getnameinfo(('127.0.0.1', 9), socket.NI_NUMERICHOST)\n",
                false,
            ),
            ("what a copy of the process reads", "import os\nif not os.fork(): os._exit(0)\nos.wait()\n", false),
            ("what another Python reads", "import os\nos.spawnlp(os.P_WAIT, 'true', 'true')\n", false),
            ("what multiprocessing's reads", SPAWNED, false),
            ("a file that was written just now", "import helper\n", true),
        ];
        for (what, before, touch) in cases {
            let project = Project::new(&[("flow.py", &format!("{before}{FLOW}")), ("helper.py", "")]);
            if touch {
                fs::write(project.path("helper.py"), "WHO = 1").unwrap();
            }
            assert_ne!(project.pickle().await, project.pickle().await, "{what}");
        }
    }

    #[tokio::test]
    async fn what_a_package_is_told_counts_if_the_flow_asks_it() {
        let home = tempfile::tempdir().unwrap();
        let (python, packages) = environment(home.path());
        let asking = "import socket\ndef ask(): socket.socket().connect_ex(('127.0.0.1', 9))\n";
        fs::write(packages.join("asking.py"), asking).unwrap();
        fs::write(packages.join("asks.py"), "import asking\nasking.ask()\n").unwrap();
        for (before, kept) in [("import asking\nasking.ask()\n", false), ("import asks\n", true)] {
            let project = Project::of(&python, &[("flow.py", &format!("{before}{FLOW}"))]);
            assert_eq!(project.pickle().await == project.pickle().await, kept, "{before}");
        }
    }

    #[tokio::test]
    async fn a_damaged_cache_is_no_cache() {
        let project = Project::new(&[("flow.py", FLOW)]);
        let mut last = project.pickle().await;
        type Damage = fn(&[u8]) -> Vec<u8>;
        let damages: [Damage; 4] = [
            |_| Vec::new(),
            |entry| entry[..entry.len().saturating_sub(1)].to_vec(),
            |entry| entry[entry.len() / 2..].to_vec(),
            |entry| entry.iter().map(|byte| byte ^ 1).collect(),
        ];
        for damage in damages {
            for entry in fs::read_dir(project.path("cache")).unwrap() {
                let path = entry.unwrap().path();
                fs::write(&path, damage(&fs::read(&path).unwrap())).unwrap();
            }
            let next = project.pickle().await;
            assert_ne!(next, last);
            assert_eq!(project.pickle().await, next);
            last = next;
        }
        // Not a directory, and so nothing can be kept.
        fs::remove_dir_all(project.path("cache")).unwrap();
        fs::write(project.path("cache"), "").unwrap();
        assert_ne!(project.pickle().await, project.pickle().await);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_write_pickles() {
        use std::os::unix::fs::PermissionsExt as _;

        let project = Project::new(&[("flow.py", FLOW)]);
        project.pickle().await;
        let cache = project.path("cache");
        assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(project.pickle().await, project.pickle().await);
        // Where they could, nothing is taken from.
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
        assert_ne!(project.pickle().await, project.pickle().await);
    }

    /// In a file system that takes them all.
    #[cfg(unix)]
    #[tokio::test]
    async fn no_time_is_too_far_away() {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let data = folder.path().join("data");
        for tv_sec in [i64::MAX, i64::MIN] {
            fs::write(&data, "").unwrap();
            let time = Timespec { tv_sec, tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(CWD, &data, &times, AtFlags::empty()).unwrap();
            let flow = format!("open({data:?}).read()\n{FLOW}");
            Project::new(&[("flow.py", &flow)]).pickle().await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_lies_in_a_cache_is_not_followed() {
        let project = Project::new(&[("flow.py", FLOW), ("precious", "mine")]);
        let first = project.pickle().await;
        let marker = project.path("cache").join("cleaned");
        fs::remove_file(&marker).unwrap();
        std::os::unix::fs::symlink(project.path("precious"), &marker).unwrap();
        make_older(&project.path("precious"), 2 * DAY);
        for entry in fs::read_dir(project.path("cache")).unwrap() {
            let entry = entry.unwrap().path();
            if entry != marker {
                fs::remove_file(&entry).unwrap();
                assert!(Command::new("mkfifo").arg(&entry).status().unwrap().success());
            }
        }
        assert_ne!(project.pickle().await, first);
        assert_eq!(fs::read_to_string(project.path("precious")).unwrap(), "mine");
    }
}
