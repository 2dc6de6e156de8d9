//! Local storage from the command line: add, ls, get, contains, and directories that can't be used.

use std::fs;

use flowhold_tests::{Done, Folder};
use serde_json::json;

const SCRIPT: &str = "print('hello')\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("etl.py", SCRIPT);
    folder
}

#[test]
fn flows_are_plain_files() {
    let folder = folder();
    let location = folder.run(&["add", "etl.py"]).ok().stdout;
    let path = folder.path().join(".prefect/flows/etl.prefect");
    assert_eq!(location, format!("{}\n", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), SCRIPT);
    let added = folder.json(&["add", "etl.py", "--name", "My Flow", "--directory", "d", "--format", "json"]);
    let path = std::path::absolute(folder.path().canonicalize().unwrap().join("d/my-flow.prefect")).unwrap();
    assert_eq!(added, json!({ "name": "My Flow", "location": path }));
    assert_eq!(fs::read_to_string(path).unwrap(), SCRIPT);
}

#[test]
fn what_was_added_is_listed_found_and_read() {
    let folder = folder();
    assert_eq!(folder.json(&["ls", "--format", "json"]), json!({ "flows": {} }));
    assert!(!folder.path().join(".prefect").exists(), "looking makes no directory");
    folder.run(&["add", "etl.py"]).ok();
    let odd = folder.run(&["add", "etl.py", "--name", "Odd: é"]).ok().stdout;
    let etl = folder.path().join(".prefect/flows/etl.prefect");
    let listed = json!({ "flows": { "Odd: é": odd.trim(), "etl": etl } });
    assert_eq!(folder.json(&["ls", "--format", "json"]), listed);
    let human = folder.run(&["ls"]).ok().stdout;
    assert!(human.lines().count() == 2 && human.contains("Odd: é") && human.contains(odd.trim()), "{human}");
    for flow in ["Odd: é", odd.trim(), "etl"] {
        assert_eq!(folder.run(&["get", flow]).ok().stdout, SCRIPT, "{flow}");
    }
    assert_eq!(folder.run(&["contains", "Odd: é"]).ok().stdout, "true\n");
    // `contains` takes names; locations and slugs are not names.
    for other in ["odd-e", "Odd", etl.to_str().unwrap(), ""] {
        let done = folder.run(&["contains", other]).fails(1, &[]);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("false\n", ""), "{other:?}");
    }
    assert_eq!(folder.json(&["contains", "etl", "--format", "json"]), json!({ "name": "etl", "contained": true }));
}

/// People type paths like these.
#[test]
fn directories_may_be_beside_and_above() {
    let folder = folder();
    let project = folder.path().canonicalize().unwrap().join("project");
    fs::create_dir(&project).unwrap();
    fs::create_dir_all(folder.path().join("far/away")).unwrap();
    std::os::unix::fs::symlink("../far/away", project.join("link")).unwrap();
    let run = |inside: &str, arguments: &[&str]| {
        Done::of(folder.command(arguments).current_dir(folder.path().join(inside)).output().unwrap()).ok().stdout
    };
    let beside = |directory: &str| {
        let added = run("project", &["add", "../etl.py", "--directory", directory]);
        let listed = run("project", &["ls", "--directory", directory]);
        assert!(listed.ends_with(&format!("  {added}")), "{listed}");
        assert_eq!(run("project", &["get", "etl", "--directory", directory]), SCRIPT);
        added.trim().to_owned()
    };
    let root = project.parent().unwrap();
    assert_eq!(beside("../flows"), format!("{}/flows/etl.prefect", root.display()));
    assert_eq!(beside("new/../made"), format!("{}/project/made/etl.prefect", root.display()));
    // `..` after a link leads where the operating system finds it.
    assert_eq!(beside("link/../flows"), format!("{}/far/flows/etl.prefect", root.display()));

    for (directory, place) in [("../of-spec", "of-spec"), ("inside", "project/inside"), ("a/../b", "project/b")] {
        let flow = "[[flows]]\npath = \"../etl.py\"\n";
        folder.write("project/flowhold.toml", format!("[storage]\ndirectory = {directory:?}\n{flow}"));
        run("far", &["build", "../project"]);
        assert_eq!(fs::read_to_string(root.join(place).join("etl.prefect")).unwrap(), SCRIPT, "{directory}");
    }
}

/// A shell leaves `~` as it is in `--directory=~/flows`.
#[test]
fn a_directory_may_begin_at_home() {
    let folder = folder();
    let location = folder.run(&["add", "etl.py", "--directory=~/flows"]).ok().stdout;
    assert_eq!(location.trim(), folder.path().join("flows/etl.prefect").to_str().unwrap());
    assert_eq!(folder.run(&["contains", "etl", "--directory=~/flows"]).ok().stdout, "true\n");
    assert!(!folder.path().join("~").exists());
}

/// The original writes no directory if the storage has the default one.
#[test]
fn the_directory_of_a_storage_may_begin_at_home() {
    let folder = folder();
    let location = folder.run(&["add", "etl.py"]).ok().stdout;
    for directory in ["", ", \"directory\": null", ", \"directory\": \"~/.prefect/flows\""] {
        let flows = serde_json::json!({ "etl": location.trim() });
        folder.write("storage.json", format!("{{\"type\": \"Local\", \"flows\": {flows}{directory}}}"));
        assert_eq!(folder.run(&["get", "etl", "--storage", "storage.json"]).ok().stdout, SCRIPT, "{directory}");
    }
}

#[test]
fn of_many_flows_some_are_named() {
    let folder = Folder::new();
    for number in 0..25 {
        folder.write(&format!("f/flow-{number}.prefect"), "pass");
    }
    let done = folder.run(&["get", "flow", "--directory", "f"]).fails(1, &["flow-0", "and 5 more: `flowhold ls`"]);
    assert_eq!(done.stderr.matches("flow-").count(), 20);
}

#[test]
fn a_name_is_taken_once() {
    let folder = folder();
    folder.run(&["add", "etl.py"]).ok();
    folder.write("etl.py", "other");
    folder.run(&["add", "etl.py"]).fails(1, &["name conflict", "\"etl\""]);
    folder.run(&["add", "etl.py", "--name", "ETL!"]).fails(1, &["\"etl\"", "\"ETL!\"", "one file"]);
    assert_eq!(folder.run(&["get", "etl"]).ok().stdout, SCRIPT);
    assert_eq!(folder.json(&["ls", "--format", "json"])["flows"].as_object().unwrap().len(), 1);
}

#[test]
fn all_names_that_are_taken_are_told_at_once() {
    let names: Vec<_> = (0..25).map(|number| format!("flow-{number:02}")).collect();
    let flows = names.iter().map(|name| format!("[[flows]]\npath = \"{name}.py\"\n")).collect::<String>();
    let folder = Folder::with_spec(&format!("[storage]\ndirectory = \"d\"\n{flows}"));
    names.iter().for_each(|name| drop(folder.write(&format!("{name}.py"), "before")));
    folder.run(&["build"]).ok();
    // All flows but the last.
    names[..24].iter().for_each(|name| drop(folder.write(&format!("{name}.py"), "after")));
    let told =
        folder.run(&["build"]).fails(1, &["\"flow-00\"", "\"flow-20\"", "; and 3 more", "remove their files from /"]);
    assert_eq!(told.stderr.matches("name conflict").count(), 21, "{told:#?}");
    assert_eq!(fs::read_to_string(folder.path().join("d/flow-00.prefect")).unwrap(), "before");
}

#[test]
fn where_else_a_flow_may_be_is_told() {
    let folder = Folder::with_spec("[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"a.py\"\n");
    folder.write("a.py", "print('ran')");
    let note = "note: there is no directory";
    let built = "note: --storage storage.json looks in what was built here";
    let told = folder.run(&["run", "a"]).fails(1, &["note: flowhold.toml is not built yet (`flowhold build`)"]);
    assert!(!told.stderr.contains(built), "{told:#?}");
    let told = folder.run(&["ls"]).ok();
    assert!(told.stderr.contains(note) && !told.stderr.contains(built), "{told:#?}");
    folder.run(&["build"]).ok();
    assert!(folder.run(&["ls"]).ok().stderr.contains(built));
    folder.run(&["get", "a"]).fails(1, &[built]);
    folder.run(&["contains", "a"]).fails(1, &[built]);
    assert_eq!(folder.run(&["contains", "a", "--storage", "storage.json"]).ok().stderr, "");
    assert_eq!(folder.run(&["run", "a"]).ok().stdout, "ran\n");
}

/// Files that Flowhold did not write, as the original leaves them.
#[test]
fn files_of_others_are_listed_by_slug_and_never_overwritten() {
    let folder = folder();
    folder.write("d/nightly.prefect", "theirs");
    folder.write("d/notes.txt", "no flow");
    let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
    assert_eq!(listed["flows"].as_object().unwrap().keys().collect::<Vec<_>>(), ["nightly"]);
    folder.run(&["add", "etl.py", "--name", "Nightly", "--directory", "d"]).fails(1, &["nightly"]);
    assert_eq!(fs::read_to_string(folder.path().join("d/nightly.prefect")).unwrap(), "theirs");
}

#[test]
fn get_writes_a_new_file_only() {
    let folder = folder();
    folder.run(&["add", "etl.py"]).ok();
    assert_eq!(folder.run(&["get", "etl", "-o", "copy.py"]).ok().stdout, "");
    assert_eq!(fs::read_to_string(folder.path().join("copy.py")).unwrap(), SCRIPT);
    folder.write("copy.py", "mine");
    folder.run(&["get", "etl", "-o", "copy.py"]).fails(1, &["copy.py exists already"]);
    assert_eq!(fs::read_to_string(folder.path().join("copy.py")).unwrap(), "mine");
    folder.run(&["get", "nothing"]).fails(1, &["\"nothing\"", "etl"]);
    folder.run(&["get", "nothing", "-o", "new"]).fails(1, &[]);
    assert!(!folder.path().join("new").exists());
}

#[test]
fn get_tells_programs_about_a_flow() {
    let folder = folder();
    folder.run(&["add", "etl.py", "--name", "Nightly run", "--directory", "d"]).ok();
    let get =
        |more: &[&str]| folder.json(&[&["get", "Nightly run", "--directory", "d", "--format", "json"], more].concat());
    let location = folder.path().join("d/nightly-run.prefect");
    // Digest and content come from sha256sum and base64.
    let mut told = json!({
        "name": "Nightly run",
        "location": location.to_str(),
        "size": SCRIPT.len(),
        "sha256": "03e693d9f2f687e0f40e36a8df7fcb4d1c22974012b7c2a55c000eb30f305824",
        "content": "cHJpbnQoJ2hlbGxvJykK",
    });
    assert_eq!(get(&[]), told);
    told.as_object_mut().unwrap().remove("content");
    told["path"] = "copy.py".into();
    assert_eq!(get(&["-o", "copy.py"]), told);
    assert_eq!(fs::read_to_string(folder.path().join("copy.py")).unwrap(), SCRIPT);
}

#[test]
fn what_can_not_be_added() {
    let folder = folder();
    folder.write("below/x", "");
    let told = folder.run(&["add", "none.py"]).fails(1, &["none.py", "check the path"]);
    assert!(!told.stderr.contains("spec"), "{told:#?}");
    folder.run(&["add", "none.py:flow"]).fails(1, &["none.py", "check the path"]);
    folder.run(&["add", "below"]).fails(1, &["directory"]);
    folder.run(&["add", "etl.py:no-name"]).fails(1, &["no-name"]);
    folder.run(&["add", "etl.py", "--python", "/no/python", "--name", "x"]).fails(69, &["/no/python"]);
    assert!(!folder.path().join(".prefect").exists());
}

/// Permission bits don't stop root, so the test uses /proc, to which nobody can write.
#[test]
fn directories_that_can_not_be_used() {
    let folder = folder();
    folder.write("file", "mine");
    for directory in ["file", "file/below", "/proc", "/proc/flowhold", "/proc/version"] {
        let done = folder.run(&["add", "etl.py", "--directory", directory]).fails(1, &[directory]);
        assert_eq!(done.stdout, "", "{directory}");
        folder.write("spec.toml", format!("[storage]\ndirectory = \"{directory}\"\n[[flows]]\npath = \"etl.py\"\n"));
        folder.run(&["build", "-f", "spec.toml"]).fails(1, &[directory]);
        assert!(!folder.path().join("storage.json").exists(), "{directory}");
    }
    folder.run(&["ls", "--directory", "file"]).fails(1, &["not a directory"]);
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "mine");
}
