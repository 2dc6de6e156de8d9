//! `build` of the storages that need no daemon, and what can be done with the result.

use std::fs;

use flowhold_tests::Folder;
use serde_json::json;

const SCRIPT: &str = "import os\nprint('mode', os.environ.get('MODE'))\nraise SystemExit(3)\n";

fn folder(kind: &str) -> Folder {
    let folder =
        Folder::with_spec(&format!("[storage]\ntype = \"{kind}\"\n[[flows]]\npath = \"a.py\"\nname = \"My Flow\"\n"));
    folder.write("a.py", SCRIPT);
    folder
}

#[test]
fn a_build_reports_and_writes_the_storage() {
    for kind in ["local", "bytes", "memory"] {
        let folder = folder(kind);
        let plan = folder.json(&["preview", "--format", "json"])["plan"].clone();
        let report = folder.json(&["build", "--format", "json", "--progress", "none"]);
        let keys: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["plan", "image", "digest", "pushed", "flows", "storage", "steps"]);
        assert_eq!(report["plan"], plan);
        assert_eq!(
            (&report["image"], &report["digest"], &report["pushed"]),
            (&json!(null), &json!(null), &json!(false))
        );
        let written = fs::read_to_string(folder.path().join("storage.json")).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), report["storage"]);
        assert_eq!(report["storage"]["type"].as_str().unwrap().to_lowercase(), kind);
        let summary = folder.run(&["build", "-o", "other.json", "--progress", "none"]).ok().stdout;
        assert!(summary.contains(plan.as_str().unwrap()) && summary.contains("other.json"), "{summary}");
        assert_eq!(fs::read_to_string(folder.path().join("other.json")).unwrap(), written);
    }
}

#[test]
fn what_was_built_is_listed_read_and_run() {
    for kind in ["local", "bytes"] {
        let folder = folder(kind);
        folder.run(&["build"]).ok();
        let location = match kind {
            "local" => folder.path().join(".prefect/flows/my-flow.prefect").to_str().unwrap().to_owned(),
            _ => "My Flow".to_owned(),
        };
        let listed = folder.json(&["ls", "--storage", "storage.json", "--format", "json"]);
        assert_eq!(listed, json!({ "flows": { "My Flow": location } }));
        assert_eq!(folder.run(&["get", &location, "--storage", "storage.json"]).ok().stdout, SCRIPT);
        assert_eq!(folder.run(&["contains", "My Flow", "--storage", "storage.json"]).ok().stdout, "true\n");
        // Without --storage: the storage.json that is here.
        let done = folder.run(&["run", "My Flow", "-e", "MODE=x"]);
        assert_eq!((done.code, done.stdout.as_str()), (3, "mode x\n"), "{done:#?}");
    }
}

/// The specification: serializing a memory storage keeps no flows.
#[test]
fn memory_keeps_nothing() {
    let folder = folder("memory");
    let report = folder.json(&["build", "--format", "json"]);
    assert_eq!(report["flows"], json!({ "My Flow": "My Flow" }));
    assert!(report["storage"].get("flows").is_none());
    assert_eq!(folder.run(&["ls", "--storage", "storage.json"]).ok().stdout, "");
    folder.run(&["contains", "My Flow", "--storage", "storage.json"]).fails(1, &[]);
    for command in ["get", "run"] {
        folder.run(&[command, "My Flow", "--storage", "storage.json"]).fails(1, &["\"My Flow\"", "memory"]);
    }
}

/// The report then goes to stderr: a reader of the storage reads nothing else.
#[test]
fn a_storage_may_go_to_standard_output() {
    let folder = folder("bytes");
    let report = folder.json(&["build", "--format", "json", "-o", "report.json"]);
    let built = folder.run(&["build", "--format", "json", "-o", "-"]).ok();
    let [storage, told]: [serde_json::Value; 2] =
        [built.stdout, built.stderr].map(|text| serde_json::from_str(&text).unwrap());
    assert_eq!((&told["flows"], &storage), (&report["flows"], &told["storage"]));
    assert!(!folder.path().join("-").exists());
}

#[test]
fn another_plan_than_the_expected_one_is_refused() {
    let folder = folder("local");
    let plan = folder.json(&["preview", "--format", "json"])["plan"].as_str().unwrap().to_owned();
    folder.write("a.py", "changed");
    folder.run(&["build", "--expect-plan", &plan]).fails(1, &[&plan]);
    folder.run(&["build", "--expect-plan", "sha256:00"]).fails(1, &["sha256:00"]);
    assert!(!folder.path().join("storage.json").exists() && !folder.path().join(".prefect").exists());
    folder.write("a.py", SCRIPT);
    folder.run(&["build", "--expect-plan", &plan]).ok();
}

/// A script is another flow than a pickle of the same bytes.
#[test]
fn formats_are_in_the_plan() {
    let [script, pickle] = ["script", "pickle"].map(|format| {
        let spec = format!("[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"a.pkl\"\nformat = {format:?}\n");
        let folder = Folder::with_spec(&spec);
        folder.write("a.pkl", "x");
        folder.json(&["preview", "--format", "json"])["plan"].as_str().unwrap().to_owned()
    });
    assert_ne!(script, pickle);
}

#[test]
fn a_local_flow_is_stored_once_and_a_changed_one_is_a_conflict() {
    let folder = folder("local");
    folder.run(&["build"]).ok();
    folder.run(&["build"]).ok();
    let before = fs::read_to_string(folder.path().join("storage.json")).unwrap();
    folder.write("a.py", "changed");
    folder.run(&["build"]).fails(1, &["My Flow"]);
    assert_eq!(fs::read_to_string(folder.path().join(".prefect/flows/my-flow.prefect")).unwrap(), SCRIPT);
    assert_eq!(fs::read_to_string(folder.path().join("storage.json")).unwrap(), before);
}

/// A pickle of protocol 0 is a text like any other.
#[test]
fn the_format_of_a_local_flow_is_known_wherever_it_is_told_of() {
    let folder = Folder::with_spec("[[flows]]\npath = \"flow.pkl\"\n");
    folder.write("flow.pkl", "cbuiltins\nprint\n.");
    let told = folder.json(&["serialize", "flowhold.toml"]);
    folder.run(&["build", "-o", "s.json"]).ok();
    let built = folder.json(&["serialize", "s.json"]);
    for storage in [told, built] {
        assert_eq!(storage["formats"], serde_json::json!({ "flow": "pickle" }), "{storage:#}");
    }
    for storage in ["--storage=s.json", "--directory=.prefect/flows"] {
        assert_eq!(folder.run(&["run", "flow", storage]).ok().stdout, "\n", "{storage}");
    }
}

#[test]
fn a_spec_elsewhere_has_its_paths_and_its_result_there() {
    let folder = folder("bytes");
    let elsewhere = Folder::new();
    let spec = folder.path().join("flowhold.toml");
    elsewhere.run(&["build", "-f", spec.to_str().unwrap()]).ok();
    assert!(folder.path().join("storage.json").is_file());
    fs::remove_file(folder.path().join("storage.json")).unwrap();
    elsewhere.run(&["build", folder.path().to_str().unwrap()]).ok();
    assert!(folder.path().join("storage.json").is_file());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_spec_that_is_wrong_builds_nothing() {
    let folder = folder("local");
    folder.write("flowhold.toml", "[[flows]]\npath = \"a.py\"\n[[flows]]\npath = \"none.py\"\n");
    folder.run(&["build"]).fails(1, &["none.py"]);
    assert!(!folder.path().join("storage.json").exists() && !folder.path().join(".prefect").exists());
}

/// This is checked before anything is built: a storage that can't be written would be lost.
#[test]
fn where_a_storage_can_not_be_written_nothing_is_built() {
    let folder = folder("local");
    folder.run(&["build", "-o", "/proc/storage.json"]).fails(1, &["/proc"]);
    assert!(!folder.path().join(".prefect").exists());
}
