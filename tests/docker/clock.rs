//! A clock that goes back, between commands and in the middle of them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use flowhold_tests::{Done, Folder, environment};
use serde_json::Value;

use crate::{daemon::building, project::Project};

/// Seconds: back by an hour, and back to before 1970.
const BACK: [i64; 2] = [-3600, -2_000_000_000];

/// A clock for some commands: the library made of `clock.c` adds an offset to their time.
struct Clock {
    folder: Folder,
}

impl Clock {
    fn new() -> Self {
        let folder = Folder::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("clock.so")).arg(source);
        assert!(compiler.status().unwrap().success());
        let clock = Self { folder };
        clock.set(0);
        // Python's time shows whether the offset works.
        let told = |offset| {
            clock.set(offset);
            let mut python = Command::new(environment("FLOWHOLD_TEST_BASE_PYTHON"));
            python.args(["-c", "import time; print(int(time.time()) // 86400)"]);
            Done::of(clock.rules(&mut python).output().unwrap()).ok().stdout.trim().parse::<i64>().unwrap()
        };
        assert!(told(0) - told(-400 * 86400) >= 399);
        clock.set(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// Sets the offset in seconds. The file is replaced in one step, so that nobody reads half a number.
    fn set(&self, offset: i64) {
        let next = self.folder.write("next", offset.to_string());
        fs::rename(next, self.file()).unwrap();
    }

    /// Makes this the clock of a command.
    fn rules<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("LD_PRELOAD", self.folder.path().join("clock.so")).env("CLOCK", self.file())
    }

    fn run(&self, folder: &Folder, arguments: &[&str]) -> Done {
        Done::of(self.rules(&mut folder.command(arguments)).output().unwrap())
    }
}

#[test]
fn flows_are_added_and_none_is_lost() {
    let (clock, folder) = (Clock::new(), Folder::new());
    folder.write("a.py", "print('a')\n");
    let add = |name: &str| clock.run(&folder, &["add", "a.py", "--name", name, "--directory", "d"]);
    let names: Vec<String> = (0..20).map(|number| format!("Flow {number:02}")).collect();
    for (number, name) in names.iter().enumerate() {
        // Back and forth, and in the end back.
        clock.set([0, BACK[0], 86400, BACK[1]][number % 4]);
        add(name).ok();
        add(name).fails(1, &["name conflict"]);
    }
    let listed = clock.run(&folder, &["ls", "--directory", "d", "--format", "json"]).ok().json();
    assert!(listed["flows"].as_object().unwrap().keys().eq(&names), "{listed:#}");
    assert_eq!(clock.run(&folder, &["run", "Flow 07", "--directory", "d"]).ok().stdout, "a\n");
}

#[test]
fn a_plan_is_the_same_and_built_once() {
    let clock = Clock::new();
    let project = Project::of_script("naming = \"plan\"\nimage_name = \nimage_tag = ", "print('x')\n");
    let first = project.build(&[]);
    for back in BACK {
        clock.set(back);
        let report = clock.run(&project.folder, &["build", "--format", "json"]).ok().json();
        assert_eq!((&report["plan"], &report["image"]), (&first["plan"], &first["image"]));
        assert!(report["steps"].as_array().unwrap().iter().all(|step| step["cached"] == true), "{report:#}");
    }
}

#[test]
fn images_named_by_time_keep_their_own() {
    let clock = Clock::new();
    let project = Project::of_script("naming = \"flow\"\nimage_name = \nimage_tag = ", "print('x')\n");
    let mut images: Vec<Value> = Vec::new();
    for back in [0, BACK[0], BACK[1]] {
        clock.set(back);
        let report = building(clock.rules(&mut project.folder.command(&["build", "--no-push", "--format", "json"])));
        let image = report.ok().json()["image"].take();
        assert!(!images.contains(&image), "{image}");
        images.push(image);
    }
}

#[test]
fn a_timeout_ends_all_the_same() {
    let clock = Clock::new();
    let project = Project::of_script("", &format!("import time\n{GOES_BACK}time.sleep(3600)\n"));
    project.folder.run(&["add", "flow.py", "--directory", "d"]).ok();
    let mut command = project.folder.command(&["run", "flow", "--directory", "d", "--timeout", "1s"]);
    Done::of(clock.rules(&mut command).output().unwrap()).fails(75, &["--timeout"]);
    assert_eq!(fs::read_to_string(clock.file()).unwrap(), "-7200");

    // The container's own clock isn't moved, only the clock of the command that waits for the container.
    let project = Project::of_script("", "import time\nprint('started', flush=True)\ntime.sleep(3600)\n");
    project.build(&["--no-push"]);
    clock.set(0);
    let mut command = project.folder.command(&["run", "flow", "--timeout", "2s"]);
    let mut child = clock.rules(&mut command).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 7]).unwrap();
    clock.set(BACK[0]);
    assert_eq!(child.wait().unwrap().code(), Some(75));
}

/// Lines of a script that set the clock back by two hours.
const GOES_BACK: &str = "import os\nwith open(os.environ['CLOCK'], 'w') as clock: clock.write('-7200')\n";

/// Adds `flow.py:flow` under a new name, runs it, and returns what it prints.
fn value(clock: &Clock, folder: &Folder, name: &str) -> String {
    let python = environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON");
    clock.run(folder, &["add", "flow.py:flow", "--name", name, "--directory", "d", "--python", &python]).ok();
    let done = folder.run(&["run", name, "--directory", "d", "--python", &python]).ok();
    done.stdout
}

/// Writes a file whose last change was `ago` seconds ago.
fn write(folder: &Folder, name: &str, text: &str, ago: u64) {
    let path = folder.write(name, text);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(ago)).unwrap();
    // The file's change time (ctime) can't be set, and must not be just now.
    std::thread::sleep(Duration::from_millis(100));
}

#[test]
fn no_pickle_is_kept_of_what_was_edited_since() {
    let (clock, folder) = (Clock::new(), Folder::new());
    // The value is in the pickle; how often it was pickled is counted in a file that no flow reads.
    let flow = "from value import VALUE\n\
                with open('times', 'a') as times: times.write('x')\n\
                def flow(value=VALUE): print(value)\n";
    write(&folder, "flow.py", flow, 10_000);
    write(&folder, "value.py", "VALUE = 'one'\n", 10_000);
    // The directory is made now: a directory that is added later could be what the flow imports.
    fs::create_dir(folder.path().join("d")).unwrap();
    let times = || fs::read(folder.path().join("times")).unwrap().len();
    assert_eq!((value(&clock, &folder, "a"), times()), ("one\n".to_owned(), 1));
    // The pickle is used even by commands whose clock shows a time before it was made.
    clock.set(-7200);
    assert_eq!((value(&clock, &folder, "b"), times()), ("one\n".to_owned(), 1));
    // Edited to the same size while the clock is back: the new file is older than the one before, and than the pickle.
    write(&folder, "value.py", "VALUE = 'two'\n", 7200);
    assert_eq!((value(&clock, &folder, "c"), times()), ("two\n".to_owned(), 2));
    write(&folder, "flow.py", &flow.replace("print(value)", "print(VALUE)"), 7200);
    assert_eq!((value(&clock, &folder, "d"), times()), ("two\n".to_owned(), 3));
}

/// As if somebody set the clock back and edited a file right after it was read.
const EDITS: &str = "
from value import VALUE
import os, time
if not os.path.exists('edited'):
    open('edited', 'x').close()
    with open(os.environ['CLOCK'], 'w') as clock: clock.write('-7200')
    with open('value.py', 'w') as file: file.write('VALUE = \\'two\\'\\n')
    os.utime('value.py', (time.time(), time.time()))
def flow(value=VALUE): print(value)
";

#[test]
fn no_pickle_is_kept_of_what_was_edited_meanwhile() {
    let (clock, folder) = (Clock::new(), Folder::new());
    write(&folder, "flow.py", EDITS, 10_000);
    write(&folder, "value.py", "VALUE = 'one'\n", 10_000);
    assert_eq!(value(&clock, &folder, "a"), "one\n");
    assert_eq!(value(&clock, &folder, "b"), "two\n");
}
