//! `build --watch`, of flows that Python pickles and of images.

use std::fs;

use flowhold_tests::{Folder, Watching, environment};
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
    folder
}

/// What its flow prints.
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
    let write =
        |word: &str| project.folder.write("flow.py", format!("import json\ndef flow(): print(json.dumps({word:?}))\n"));
    write("first");
    let mut watching = Watching::new(&project.folder, &[]);
    let first = watching.report();
    for (times, word) in ["second", "third"].into_iter().enumerate() {
        watching.says("watching", times + 1);
        write(word);
        let report = watching.report();
        assert_ne!(report["digest"], first["digest"]);
        assert_eq!((&report["pushed"], &report["plan"]), (&true.into(), &plan(&project.folder)));
        assert_eq!(project.folder.run(&["run", "flow"]).ok().stdout, format!("\"{word}\"\n"));
    }
    watching.says("watching", 3);
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
    let mut watching = Watching::new(&folder, &[]);
    let runs = |report: &Value, word: &str| {
        assert_eq!(report["plan"], plan(&folder));
        assert_eq!(printed(&folder), format!("{word}\n"));
    };
    runs(&watching.report(), "first");
    watching.says("watching", 1);
    folder.write("word.txt", "second");
    runs(&watching.report(), "second");
    watching.says("watching", 2);
    folder.write("word.txt", "bad");
    watching.says("AssertionError", 1);
    watching.says("watching", 3);
    folder.write("word.txt", "good");
    runs(&watching.report(), "good");
    watching.says("watching", 4);
    folder.write("helper.py", "import none_such\n");
    watching.says("No module named 'none_such'", 1);
    watching.says("watching", 5);
    folder.write("helper.py", "WORD = 'third'\n");
    runs(&watching.report(), "third");
}

/// A package that sees whether it is imported early stands for all that import otherwise then.
#[test]
fn a_new_python_has_the_last_word() {
    let flow = |word: &str| {
        format!("import sys\nEARLY = 'decimal' in sys.modules\nimport decimal\ndef flow(): print(EARLY, {word:?})\n")
    };
    let folder = folder(&flow("first"));
    let mut watching = Watching::new(&folder, &[]);
    let first = watching.report();
    watching.says("watching", 1);
    folder.write("flow.py", flow("second"));
    let (guess, second) = (watching.report(), watching.report());
    assert!(first["plan"] != guess["plan"] && guess["plan"] != second["plan"]);
    assert_eq!(second["plan"], plan(&folder));
    assert_eq!(printed(&folder), "False second\n");
    watching.says("made other pickles", 1);
    watching.says("watching", 2);
    // No guesses any more.
    folder.write("flow.py", flow("third"));
    assert_eq!(watching.report()["plan"], plan(&folder));
    watching.says("watching", 3);
    assert_eq!(watching.end().stdout, "");
}

#[test]
fn no_python_is_left_behind() {
    let folder = folder("import json\ndef flow(): print(json.dumps('x'))\n");
    let mark = unique();
    let arguments = ["build", "--watch", "--format", "json"];
    let mut watching = Watching::of(folder.command(&arguments).env("FLOWHOLD_TEST_MARK", &mark));
    watching.report();
    watching.says("watching", 1);
    // Itself, and the Python that waits.
    wait_for("Python waits", || (processes("environ", &mark).len() == 2).then_some(()));
    watching.end().fails(130, &["interrupted while files were watched"]);
    wait_for("Python ends", || processes("environ", &mark).is_empty().then_some(()));
    assert!(fs::read_to_string(folder.path().join("storage.json")).unwrap().contains("flow"));
}
