//! `flowhold build` of scripts: what it makes, what it reports, and what it does not do again.

use std::collections::BTreeSet;

use flowhold_tests::environment;
use serde_json::{Value, json};

use crate::{
    daemon::{has_image, inspect, text_inside},
    project::Project,
    registry,
};

const HELLO: &str = include_str!("flows/hello.py");

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The names of the steps that were not cached, without the transfers.
fn work(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter().filter(|step| step["cached"] == false);
    let names = steps.map(|step| step["name"].as_str().unwrap());
    names.filter(|name| !["pull ", "push ", "FROM "].iter().any(|start| name.starts_with(start))).collect()
}

#[test]
fn a_script_is_built_pushed_and_run() {
    let project = Project::of_script("", HELLO);
    let reference = project.reference();
    assert_eq!(registry::digest(&reference), None);
    let report = project.build(&[]);

    let expected = ["plan", "image", "digest", "pushed", "flows", "storage", "steps"];
    assert_eq!(keys(&report), expected.into_iter().collect());
    for step in report["steps"].as_array().unwrap() {
        assert_eq!(keys(step), ["name", "cached", "seconds"].into_iter().collect(), "{step}");
        assert!(step["seconds"].is_number() && step["cached"].is_boolean(), "{step}");
    }
    assert_eq!(report["image"], reference.as_str());
    assert_eq!(report["pushed"], true);
    assert_eq!(report["flows"], json!({ "flow": "/root/.prefect/flow.prefect" }));
    assert_eq!(report["storage"], project.storage());
    assert_eq!(report["digest"].as_str(), registry::digest(&reference).as_deref());
    assert!(report["digest"].is_string());
    assert_eq!(report["plan"], project.folder.json(&["preview", "--format", "json"])["plan"]);

    // The image stays in the daemon, under the digest that the registry has.
    let named = format!("{}@{}", reference.rsplit_once(':').unwrap().0, report["digest"].as_str().unwrap());
    let digests = &inspect(&reference)["RepoDigests"];
    assert!(digests.as_array().unwrap().contains(&json!(named)), "{digests}");
    assert_eq!(text_inside(&reference, &["cat", "/root/.prefect/flow.prefect"]), HELLO);

    let done = project.folder.run(&["run", "flow", "-e", "WHO=you and = me", "--progress", "none"]);
    assert_eq!((done.code, done.stdout.as_str()), (7, "hello you and = me\n"), "{done:?}");
    assert_eq!(done.stderr, "a word on the side\n");
    let done = project.folder.run(&["run", "flow"]);
    assert_eq!((done.code, done.stdout.as_str()), (7, "hello nobody\n"), "{done:?}");
}

#[test]
fn what_did_not_change_is_not_built_again() {
    let project = Project::of_script("python_dependencies = [\"iniconfig==2.0.0\"]", HELLO);
    let first = project.build(&[]);
    let second = project.build(&[]);
    assert_eq!(work(&second), [""; 0], "{second:#}");
    assert_eq!((&first["plan"], &first["digest"]), (&second["plan"], &second["digest"]));

    // The text is unique: BuildKit would have a file in its cache that another test copied.
    project.folder.write("flow.py", format!("print('{}')\n", project.name));
    let third = project.build(&[]);
    assert_ne!(first["plan"], third["plan"]);
    assert_ne!(first["digest"], third["digest"]);
    let work = work(&third);
    assert!(work.iter().any(|name| name.starts_with("COPY ") && name.contains("flows/")), "{work:?}");
    assert!(!work.iter().any(|name| name.contains("requirements")), "{work:?}");
    project.folder.run(&["run", "flow", "--progress", "none"]).ok();
    text_inside(&project.reference(), &["python", "-c", "import iniconfig"]);
}

#[test]
fn without_a_push_the_image_stays_in_the_daemon() {
    let project = Project::of_script("", HELLO);
    let report = project.build(&["--no-push"]);
    assert_eq!((&report["pushed"], &report["digest"]), (&json!(false), &Value::Null));
    assert!(has_image(&project.reference()));
    assert_eq!(registry::digest(&project.reference()), None);
}

#[test]
fn several_storages_fit_one_spec_and_one_output() {
    let project = Project::of_script("", HELLO);
    project.build(&["--no-push", "-o", "elsewhere.json"]);
    assert!(!project.folder.path().join("storage.json").exists());
    let stored = std::fs::read_to_string(project.folder.path().join("elsewhere.json")).unwrap();
    let run = project.folder.run(&["run", "flow", "--storage", "elsewhere.json"]);
    assert_eq!((run.code, run.stdout.as_str()), (7, "hello nobody\n"));

    // The storage that was written loads again, and is written the same; as a snapshot too.
    let again = project.folder.run(&["serialize", "elsewhere.json"]).ok().stdout;
    assert_eq!(again, stored);
    project.folder.run(&["serialize", "elsewhere.json", "--to", "snapshot", "-o", "storage.bin"]).ok();
    assert_eq!(project.folder.run(&["serialize", "storage.bin"]).ok().stdout, stored);
    let run = project.folder.run(&["run", "flow", "--storage", "storage.bin"]);
    assert_eq!((run.code, run.stdout.as_str()), (7, "hello nobody\n"));
    let flows = project.folder.json(&["ls", "--storage", "storage.bin", "--format", "json"]);
    assert_eq!(flows, json!({ "flows": { "flow": "/root/.prefect/flow.prefect" } }));
    project.folder.run(&["contains", "flow", "--storage", "elsewhere.json"]).ok();
    project.folder.run(&["contains", "other", "--storage", "elsewhere.json"]).fails(1, &[]);
}

#[test]
fn a_folder_may_be_named() {
    let project = Project::of_script("", HELLO);
    let path = project.folder.path().to_str().unwrap();
    let outside = flowhold_tests::Folder::new();
    outside.run(&["build", path, "--no-push", "--progress", "none"]).ok();
    assert_eq!(project.storage()["base_image"], environment("FLOWHOLD_TEST_BASE_IMAGE").as_str());
    // The spec's own folder still builds without being named.
    project.build(&["--no-push"]);
}
