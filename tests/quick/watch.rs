//! `build --watch`, of storages that need no daemon.

use std::fs;

use flowhold_tests::{Folder, Watching};
use serde_json::Value;

const SPEC: &str = "[storage]\ntype = \"bytes\"\n\n[[flows]]\npath = \"flow.py\"\n";

fn folder() -> Folder {
    let folder = Folder::with_spec(SPEC);
    folder.write("flow.py", "print(1)\n");
    folder
}

/// A report is that of the plan that the folder has now.
#[track_caller]
fn is_current(folder: &Folder, report: &Value) {
    assert_eq!(report["plan"], folder.json(&["preview", "--format", "json"])["plan"]);
    let written = fs::read_to_string(folder.path().join("storage.json")).unwrap();
    assert_eq!(report["storage"], serde_json::from_str::<Value>(&written).unwrap());
}

#[test]
fn each_edit_is_built() {
    let folder = folder();
    let mut watching = Watching::new(&folder, &[]);
    is_current(&folder, &watching.report());
    watching.says("watching", 1);
    folder.write("flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
    watching.says("watching", 2);
    // As editors do it: another file takes the place of the old one.
    folder.write("flow.py.new", "print(3)\n");
    fs::rename(folder.path().join("flow.py.new"), folder.path().join("flow.py")).unwrap();
    is_current(&folder, &watching.report());
    watching.says("watching", 3);
    folder.write("other.py", "print('other')\n");
    folder.write("flowhold.toml", format!("{SPEC}\n[[flows]]\npath = \"other.py\"\n"));
    let report = watching.report();
    assert_eq!(report["flows"].as_object().unwrap().len(), 2);
    is_current(&folder, &report);
    // What the spec names since then is watched, too.
    watching.says("watching", 4);
    folder.write("other.py", "print('edited')\n");
    is_current(&folder, &watching.report());
    watching.end().fails(130, &["changed: flow.py", "changed: other.py", "interrupted while files were watched"]);
}

#[test]
fn what_is_wrong_is_said_and_watched() {
    let folder = folder();
    fs::remove_file(folder.path().join("flow.py")).unwrap();
    let mut watching = Watching::new(&folder, &[]);
    watching.says("error[missing-file]", 1);
    watching.says("watching", 1);
    folder.write("flow.py", "print(1)\n");
    is_current(&folder, &watching.report());
    watching.says("watching", 2);
    folder.write("flowhold.toml", SPEC.replace("bytes", "bites"));
    watching.says("\"bites\"", 1);
    watching.says("watching", 3);
    // The same plan as the one that was built: there is nothing to do.
    folder.write("flowhold.toml", SPEC);
    watching.says("nothing to do", 1);
    watching.says("watching", 4);
    fs::remove_file(folder.path().join("flowhold.toml")).unwrap();
    watching.says("flowhold init", 1);
    watching.says("watching", 5);
    folder.write("flowhold.toml", SPEC);
    watching.says("nothing to do", 2);
    let done = watching.end();
    assert_eq!(done.stdout, "", "a report that nobody asked for");
}

/// Also where the spec itself is missing at first, and directories come and go.
#[test]
fn what_is_not_there_yet_is_waited_for() {
    let folder = Folder::new();
    let mut watching = Watching::new(&folder, &[]);
    watching.says("flowhold init", 1);
    watching.says("watching", 1);
    folder.write("flowhold.toml", SPEC.replace("flow.py", "flows/deep/flow.py"));
    watching.says("error[missing-file]", 1);
    watching.says("watching", 2);
    folder.write("flows/deep/flow.py", "print(1)\n");
    is_current(&folder, &watching.report());
    watching.says("watching", 3);
    fs::rename(folder.path().join("flows"), folder.path().join("other")).unwrap();
    watching.says("error[missing-file]", 2);
    folder.write("flows/deep/flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
}

#[test]
fn what_no_plan_is_made_of_is_not_watched() {
    let folder = folder();
    let mut watching = Watching::new(&folder, &[]);
    watching.report();
    watching.says("watching", 1);
    folder.write("notes.txt", "");
    folder.write("deeper/flow.py", "print(0)\n");
    folder.write("flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
    let said = watching.said();
    assert!(said.contains("changed: flow.py\n"), "{said}");
}

#[test]
fn what_can_not_be_watched_is_refused() {
    let folder = folder();
    folder.run(&["build", "--watch", "-f", "-"]).fails(1, &["standard input can't be watched", "-f"]);
    let plan = "sha256:0";
    folder.run(&["build", "--watch", "--expect-plan", plan]).fails(2, &["--expect-plan", "cannot be used with"]);
}
