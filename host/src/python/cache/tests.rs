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

/// Gives another pickle each time that it is executed.
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
    // Also together with a file that has to be executed.
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

/// Even if its time is old.
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
    // Their paths together are longer than a line of an answer may be.
    let deep = vec!["d".repeat(200); 10].join("/");
    let names: Vec<_> = (0..600).map(|number| format!("{deep}/{number:03}")).collect();
    let reading = format!(
        "import os\nos.chdir(os.path.dirname(__file__))\nDATA = [open('{deep}/%03d' % n).read() for n in range(600)]\n"
    );
    let flow = format!("{reading}{FLOW}");
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "one")).chain([("flow.py", flow.as_str())]).collect();
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

/// Starts a Python as multiprocessing does.
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
        ("an address's name", "import socket\nsocket.getnameinfo(('127.0.0.1', 9), socket.NI_NUMERICHOST)\n", false),
        ("what a copy of the process reads", "import os\nif not os.fork(): os._exit(0)\nos.wait()\n", false),
        ("what another Python reads", "import os\nos.spawnlp(os.P_WAIT, 'true', 'true')\n", false),
        ("what multiprocessing's reads", SPAWNED, false),
        ("a database by URI", "import sqlite3\nsqlite3.connect('file:none?mode=memory', uri=True)\n", false),
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
    // The cache is not a directory, so nothing can be kept.
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
    // If others can write to a cache, nothing is taken from it.
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    assert_ne!(project.pickle().await, project.pickle().await);
}

/// In a file system that takes any time.
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
