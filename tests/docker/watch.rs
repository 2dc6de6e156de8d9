//! `build --watch`, of flows that Python pickles and of images.

use std::{fs, process::Command, thread::sleep, time::Duration};

use flowhold_tests::{Done, Folder, Watching, environment, save, settle};
use serde_json::Value;

use crate::{
    daemon::{processes, wait_for},
    project::{Project, quoted, unique},
};

const FLOW: &str = "path = \"flow.py\"\nobject = \"flow\"";

fn python() -> String {
    environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON")
}

/// Flows of a storage that needs no daemon, pickled by a Python that has cloudpickle.
fn folder(flow: &str) -> Folder {
    let python = quoted(&python());
    let folder = Folder::with_spec(&format!("[storage]\ntype = \"bytes\"\npython = {python}\n\n[[flows]]\n{FLOW}\n"));
    folder.write("flow.py", flow);
    settle();
    folder
}

/// What the folder's flow prints.
fn printed(folder: &Folder) -> String {
    folder.run(&["run", "flow", "--python", &python()]).ok().stdout
}

fn plan(folder: &Folder) -> Value {
    folder.json(&["preview", "--format", "json"])["plan"].clone()
}

#[test]
fn an_edited_flow_is_built_pushed_and_run() {
    let python = format!("python = {}", quoted(&python()));
    let project = Project::new(&format!("{python}\npython_dependencies = [\"cloudpickle==3.1.2\"]"), &[FLOW]);
    let write = |word: &str| {
        save(&project.folder, "flow.py", &format!("import json\ndef flow(): print(json.dumps({word:?}))\n"));
    };
    write("first");
    settle();
    let mut watching = Watching::new(&project.folder, &[]);
    let first = watching.report();
    for word in ["second", "third"] {
        watching.rests();
        write(word);
        let report = watching.report();
        assert_ne!(report["digest"], first["digest"]);
        assert_eq!((&report["pushed"], &report["plan"]), (&true.into(), &plan(&project.folder)));
        assert_eq!(project.folder.run(&["run", "flow"]).ok().stdout, format!("\"{word}\"\n"));
    }
    watching.rests();
    let done = watching.end().fails(130, &["changed: flow.py"]);
    assert_eq!(done.stdout, "", "a report that nobody asked for");
}

#[test]
fn what_a_flow_imports_and_reads_is_watched() {
    let folder = folder("import helper\nWORD = helper.WORD\ndef flow(): print(WORD)\n");
    folder.write(
        "helper.py",
        "import os\nWORD = open(os.path.join(os.path.dirname(__file__), 'word.txt')).read()\nassert WORD != 'bad'\n",
    );
    folder.write("word.txt", "first");
    settle();
    let mut watching = Watching::new(&folder, &[]);
    let runs = |report: &Value, word: &str| {
        assert_eq!(report["plan"], plan(&folder));
        assert_eq!(printed(&folder), format!("{word}\n"));
    };
    runs(&watching.report(), "first");
    watching.rests();
    save(&folder, "word.txt", "second");
    runs(&watching.report(), "second");
    watching.rests();
    save(&folder, "word.txt", "bad");
    watching.says("AssertionError");
    watching.rests();
    save(&folder, "word.txt", "good");
    runs(&watching.report(), "good");
    watching.rests();
    save(&folder, "helper.py", "import none_such\n");
    watching.says("No module named 'none_such'");
    watching.rests();
    save(&folder, "helper.py", "WORD = 'third'\n");
    runs(&watching.report(), "third");
}

#[test]
fn a_flow_that_is_gone_is_waited_for() {
    let folder = folder("def flow(): print(1)\n");
    let mut watching = Watching::new(&folder, &[]);
    watching.report();
    watching.rests();
    fs::rename(folder.path().join("flow.py"), folder.path().join("away.py")).unwrap();
    watching.says("error[missing-file]");
    watching.rests();
    save(&folder, "flow.py", "def flow(): print(2)\n");
    assert_eq!(watching.report()["plan"], plan(&folder));
    assert_eq!(printed(&folder), "2\n");
}

/// The flow begins to read a file that has not changed.
#[test]
fn what_is_read_for_the_first_time_has_not_changed() {
    let folder = folder("WORD = 'first'\ndef flow(): print(WORD)\n");
    folder.write("word.txt", "second");
    settle();
    let mut watching = Watching::new(&folder, &[]);
    watching.report();
    watching.rests();
    let reading = "import os\nWORD = open(os.path.join(os.path.dirname(__file__), 'word.txt')).read()\n";
    save(&folder, "flow.py", &format!("{reading}def flow(): print(WORD)\n"));
    assert_eq!(watching.report()["plan"], plan(&folder));
    watching.rests();
    // The next edit is the next change that is reported.
    save(&folder, "word.txt", "third");
    watching.report();
    watching.rests();
    let said = watching.end().stderr;
    assert_eq!(said.matches("changed: ").count(), 2, "{said}");
}

/// The flow notices whether a module was imported before it, and stands for all flows that then behave differently.
#[test]
fn a_new_python_has_the_last_word() {
    let flow = |word: &str| {
        format!("import sys\nEARLY = 'decimal' in sys.modules\nimport decimal\ndef flow(): print(EARLY, {word:?})\n")
    };
    let folder = folder(&flow("first"));
    let mut watching = Watching::new(&folder, &[]);
    let first = watching.report();
    watching.rests();
    save(&folder, "flow.py", &flow("second"));
    let (guess, second) = (watching.report(), watching.report());
    assert!(first["plan"] != guess["plan"] && guess["plan"] != second["plan"]);
    assert_eq!(second["plan"], plan(&folder));
    assert_eq!(printed(&folder), "False second\n");
    watching.says("pickled differently");
    watching.rests();
    // From now on, each build waits for a new Python.
    save(&folder, "flow.py", &flow("third"));
    assert_eq!(watching.report()["plan"], plan(&folder));
    watching.rests();
    assert_eq!(watching.end().stdout, "");
}

#[test]
fn no_python_is_left_behind() {
    let folder = folder("import json\ndef flow(): print(json.dumps('x'))\n");
    let mark = unique();
    let arguments = ["build", "--watch", "--format", "json"];
    let mut watching = Watching::of(folder.command(&arguments).env("FLOWHOLD_TEST_MARK", &mark));
    watching.report();
    watching.rests();
    // The command itself, and the Python that waits.
    wait_for("Python waits", || (processes("environ", &mark).len() == 2).then_some(()));
    watching.end().fails(130, &["interrupted while watching files"]);
    wait_for("Python ends", || processes("environ", &mark).is_empty().then_some(()));
    assert!(fs::read_to_string(folder.path().join("storage.json")).unwrap().contains("flow"));
}

/// If the new Python fails, what was built does not count as built.
#[test]
fn what_a_new_python_refuses_is_not_confirmed() {
    let flow = |word: &str| {
        format!(
            "import sys\nEARLY = 'decimal' in sys.modules\nimport decimal\nassert EARLY\ndef flow(): print({word:?})\n"
        )
    };
    let folder = folder(&flow("first"));
    let mut watching = Watching::new(&folder, &[]);
    watching.says("AssertionError");
    watching.rests();
    save(&folder, "flow.py", &flow("second"));
    watching.report();
    watching.says("AssertionError");
    watching.says("the build could not be confirmed");
    watching.rests();
    // With the same content again, it must not say that there is nothing to do.
    save(&folder, "flow.py", &flow("second"));
    watching.says("AssertionError");
    watching.rests();
    let done = watching.end();
    assert!(!done.stderr.contains("nothing to do"), "{done:?}");
}

#[test]
fn what_is_installed_is_noticed() {
    let folder =
        Folder::with_spec(&format!("[storage]\ntype = \"bytes\"\npython = \"env/bin/python\"\n\n[[flows]]\n{FLOW}\n"));
    folder.write("flow.py", "import rows\nWORD = rows.WORD\ndef flow(): print(WORD)\n");
    let run = |program: &str, arguments: &[&str]| {
        Done::of(Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap()).ok().stdout
    };
    let packages = |python: &str| run(python, &["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    let mut watching = Watching::new(&folder, &[]);
    watching.says("there is no Python");
    watching.rests();
    run(&python(), &["-m", "venv", "--without-pip", "env"]);
    watching.says("cloudpickle");
    let env = folder.path().join("env/bin/python");
    let own = packages(env.to_str().unwrap());
    folder.write(&format!("{}/shared.pth", own.trim()), packages(&python()));
    watching.says("No module named 'rows'");
    folder.write(&format!("{}/rows.py", own.trim()), "WORD = 'installed'\n");
    assert_eq!(watching.report()["plan"], plan(&folder));
    assert_eq!(printed(&folder), "installed\n");
}

#[test]
fn builds_that_change_what_they_are_made_of_come_to_an_end() {
    let folder = folder(
        "import json\ntry: state = json.load(open('state.json'))\nexcept OSError: state = 0\n\
         json.dump(state + 1, open('state.json', 'w'))\ndef flow(): print(state)\n",
    );
    let mut watching = Watching::new(&folder, &[]);
    watching.says("each build changes state.json");
    let said = watching.said().matches("changed: state.json\n").count();
    sleep(Duration::from_secs(1));
    assert_eq!(watching.said().matches("changed: state.json\n").count(), said);
    save(&folder, "flow.py", "def flow(): print('edited')\n");
    watching.report_until(|report| report["plan"] == plan(&folder));
    assert_eq!(printed(&folder), "edited\n");
}

/// This includes an edit that comes after the file was read, while it is executed.
#[test]
fn the_last_edit_is_built() {
    let flow = |word: &str| {
        format!("import time\nopen('began.txt', 'w').close()\ntime.sleep(1)\ndef flow(): print({word:?})\n")
    };
    let folder = folder(&flow("first"));
    let mut watching = Watching::new(&folder, &[]);
    watching.report();
    watching.rests();
    let began = folder.path().join("began.txt");
    for (earlier, later) in [("second", "third"), ("fourth", "fifth")] {
        fs::remove_file(&began).unwrap();
        save(&folder, "flow.py", &flow(earlier));
        wait_for("it is executed", || began.exists().then_some(()));
        save(&folder, "flow.py", &flow(later));
        let last = plan(&folder);
        watching.report_until(|report| report["plan"] == last);
        assert_eq!(printed(&folder), format!("{later}\n"));
    }
}

/// The folder's own storage.json and log are among the files of the image.
#[test]
fn a_folder_that_holds_its_own_spec_is_built_once() {
    let project = Project::new("", &["path = \"code/flow.py\""]);
    project.folder.write("code/flow.py", "print('x')\n");
    project.folder.write("code/data/deep/rows.csv", "1");
    let spec = fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    let files = format!("files = {{ {} = \"/app\" }}\n", quoted(project.folder.path().to_str().unwrap()));
    save(&project.folder, "flowhold.toml", &spec.replace("[[flows]]", &format!("{files}\n[[flows]]")));
    settle();
    let log = project.folder.path().join("log");
    let arguments = ["build", "--watch", "--no-push", "--format", "json", "--progress", "none"];
    let mut command = project.folder.command(&arguments);
    let mut watching = Watching::saying_to(log, &mut command);
    let first = watching.report();
    watching.rests();
    save(&project.folder, "code/data/deep/rows.csv", "2");
    assert_ne!(watching.report()["plan"], first["plan"]);
    watching.rests();
    // A rename adds everything at once: directories are content, too.
    let elsewhere = Folder::new();
    elsewhere.write("more/still/rows.csv", "3");
    fs::rename(elsewhere.path().join("more"), project.folder.path().join("code/more")).unwrap();
    assert_ne!(watching.report()["plan"], first["plan"]);
    watching.rests();
    sleep(Duration::from_secs(1));
    let done = watching.end();
    assert_eq!((done.stdout.as_str(), done.stderr.matches("changed: ").count()), ("", 2), "{done:?}");
}

/// The failed build may have given the image's name to another image.
#[test]
fn a_failed_build_is_not_the_one_before() {
    let project = Project::of_script("", "print('x')\n");
    settle();
    let mut watching = Watching::new(&project.folder, &[]);
    watching.report();
    watching.rests();
    let spec = fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    let registry = environment("FLOWHOLD_TEST_REGISTRY");
    save(&project.folder, "flowhold.toml", &spec.replace(&format!("{registry}/tests"), "localhost:1/tests"));
    watching.says("error: ");
    watching.rests();
    save(&project.folder, "flowhold.toml", &spec);
    assert_eq!(watching.report()["pushed"], true);
}
