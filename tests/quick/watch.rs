//! `build --watch`, of storages that need no daemon.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use flowhold_tests::{Done, Folder, Watching, save, settle, wait_for};
use serde_json::Value;

const SPEC: &str = "[storage]\ntype = \"bytes\"\n\n[[flows]]\npath = \"flow.py\"\n";

fn folder() -> Folder {
    let folder = Folder::with_spec(SPEC);
    folder.write("flow.py", "print(1)\n");
    settle();
    folder
}

/// Checks that the report is about the folder's current plan.
#[track_caller]
fn is_current(folder: &Folder, report: &Value) {
    assert_eq!(report["plan"], folder.json(&["preview", "--format", "json"])["plan"]);
    let written = fs::read_to_string(folder.path().join("storage.json")).unwrap();
    assert_eq!(report["storage"], serde_json::from_str::<Value>(&written).unwrap());
}

/// Ends the command, and checks that it built no more often than expected.
#[track_caller]
fn rounds(watching: Watching, times: usize) {
    // Time for a build too many.
    sleep(Duration::from_millis(500));
    let done = watching.end().fails(130, &["interrupted while watching files"]);
    assert_eq!(done.stdout, "", "a report that nobody asked for");
    assert_eq!(done.stderr.matches("changed: ").count(), times, "{}", done.stderr);
}

#[test]
fn each_edit_is_built() {
    let folder = folder();
    let mut watching = Watching::new(&folder, &[]);
    is_current(&folder, &watching.report());
    watching.rests();
    save(&folder, "flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
    watching.rests();
    // The file is written in place, with the same length.
    folder.write("flow.py", "print(3)\n");
    watching.report_until(|report| report["plan"] == folder.json(&["preview", "--format", "json"])["plan"]);
    watching.rests();
    folder.write("other.py", "print('other')\n");
    save(&folder, "flowhold.toml", &format!("{SPEC}\n[[flows]]\npath = \"other.py\"\n"));
    let report = watching.report();
    assert_eq!(report["flows"].as_object().unwrap().len(), 2);
    is_current(&folder, &report);
    // The file that the spec names from then on is watched, too.
    watching.rests();
    save(&folder, "other.py", "print('edited')\n");
    is_current(&folder, &watching.report());
    watching.end().fails(130, &["changed: flow.py", "changed: other.py", "interrupted while watching files"]);
}

#[test]
fn what_is_wrong_is_said_and_watched() {
    let folder = folder();
    fs::remove_file(folder.path().join("flow.py")).unwrap();
    let mut watching = Watching::new(&folder, &[]);
    watching.says("error[missing-file]");
    watching.rests();
    save(&folder, "flow.py", "print(1)\n");
    is_current(&folder, &watching.report());
    watching.rests();
    save(&folder, "flowhold.toml", &SPEC.replace("bytes", "bites"));
    watching.says("\"bites\"");
    watching.rests();
    // The spec is the one that was built: there is nothing to do.
    save(&folder, "flowhold.toml", SPEC);
    watching.says("nothing to do");
    watching.rests();
    fs::remove_file(folder.path().join("flowhold.toml")).unwrap();
    watching.says("flowhold init");
    watching.rests();
    save(&folder, "flowhold.toml", SPEC);
    watching.says("nothing to do");
    watching.rests();
    rounds(watching, 5);
}

/// The spec itself is missing at first, and directories come and go.
#[test]
fn what_is_not_there_yet_is_waited_for() {
    let folder = Folder::new();
    let mut watching = Watching::new(&folder, &[]);
    watching.says("flowhold init");
    watching.rests();
    save(&folder, "flowhold.toml", &SPEC.replace("flow.py", "flows/deep/flow.py"));
    watching.says("error[missing-file]");
    watching.rests();
    fs::create_dir_all(folder.path().join("flows/deep")).unwrap();
    save(&folder, "flows/deep/flow.py", "print(1)\n");
    is_current(&folder, &watching.report());
    watching.rests();
    fs::rename(folder.path().join("flows"), folder.path().join("other")).unwrap();
    watching.says("error[missing-file]");
    watching.rests();
    // A new directory of the same name is watched in turn.
    fs::create_dir_all(folder.path().join("flows/deep")).unwrap();
    save(&folder, "flows/deep/flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
    watching.rests();
    save(&folder, "flows/deep/flow.py", "print(3)\n");
    is_current(&folder, &watching.report());
}

#[test]
fn what_no_plan_is_made_of_is_not_watched() {
    let folder = folder();
    let mut watching = Watching::new(&folder, &[]);
    watching.report();
    watching.rests();
    folder.write("notes.txt", "");
    folder.write("deeper/flow.py", "print(0)\n");
    sleep(Duration::from_millis(300));
    save(&folder, "flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
    watching.rests();
    rounds(watching, 1);
}

/// The plan digest doesn't depend on names.
#[test]
fn another_name_is_another_build() {
    let folder = folder();
    let mut watching = Watching::new(&folder, &[]);
    let first = watching.report();
    watching.rests();
    save(&folder, "flowhold.toml", &SPEC.replace("bytes", "memory"));
    let second = watching.report();
    assert_eq!(second["storage"]["type"], "Memory");
    assert_eq!(first["plan"], second["plan"]);
}

#[cfg(unix)]
#[test]
fn what_is_behind_links_is_watched() {
    let folder = Folder::new();
    folder.write("real/flowhold.toml", SPEC.replace("flow.py", "../project/flow.py"));
    folder.write("real/flow.py", "print(1)\n");
    for (target, link) in [("real", "project"), ("real/flowhold.toml", "flowhold.toml")] {
        std::os::unix::fs::symlink(target, folder.path().join(link)).unwrap();
    }
    // Paths are relative to where the link is.
    folder.write("real/flowhold.toml", SPEC.replace("flow.py", "project/../project/flow.py"));
    let mut watching = Watching::new(&folder, &[]);
    is_current(&folder, &watching.report());
    watching.rests();
    save(&folder, "real/flow.py", "print(2)\n");
    is_current(&folder, &watching.report());
    watching.rests();
    save(&folder, "real/flowhold.toml", &SPEC.replace("flow.py", "real/flow.py").replace("bytes", "memory"));
    is_current(&folder, &watching.report());
}

#[test]
fn it_ends_when_nobody_reads() {
    let folder = folder();
    let mut command = folder.command(&["build", "--watch", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    // The command has nothing to do now; the next edit makes it write a report.
    let mut number = 1;
    wait_for("it ends", || {
        number += 1;
        save(&folder, "flow.py", &format!("print({number})\n"));
        child.try_wait().unwrap()
    });
    Done::of(child.wait_with_output().unwrap()).fails(130, &["nobody reads the reports any more"]);
}

#[test]
fn what_can_not_be_watched_is_refused() {
    let folder = folder();
    folder.run(&["build", "--watch", "-f", "-"]).fails(1, &["standard input can't be watched", "-f"]);
    let plan = "sha256:0";
    folder.run(&["build", "--watch", "--expect-plan", plan]).fails(2, &["--expect-plan", "cannot be used with"]);
    let spec = SPEC.replace("bytes", "local");
    folder.write("flowhold.toml", spec);
    folder.run(&["build", "--watch"]).fails(1, &["a local storage never replaces a flow", "leave --watch out"]);
    assert!(!Path::exists(&folder.path().join(".prefect")));
}
