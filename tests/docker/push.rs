//! `flowhold push` and `flowhold pull`, and pushing that is not possible.

use flowhold_tests::environment;
use serde_json::json;

use crate::{
    daemon::{docker, forget, has_image},
    fake,
    project::{Project, quoted, unique},
    registry,
};

const HELLO: &str = include_str!("flows/hello.py");

#[test]
fn an_image_is_pushed_later() {
    let project = Project::of_script("", HELLO);
    project.build(&["--no-push"]);
    assert!(project.storage()["digest"].is_null());
    let pushed = project.folder.json(&["push", "--format", "json"]);
    let digest = registry::digest(&project.reference());
    assert!(digest.is_some());
    assert_eq!(pushed, json!({ "image": project.reference(), "digest": digest }));
    assert_eq!(project.storage()["digest"].as_str(), digest.as_deref());
    assert!(has_image(&project.reference()));
}

/// Old daemons, and proxies in front of a daemon, report errors without `errorDetail`.
#[test]
fn an_error_without_detail_is_an_error() {
    let transfer = "{\"status\":\"Waiting\",\"id\":\"0123456789ab\"}\n{\"error\":\"denied: not yours\"}";
    let build = Some("{\"id\":\"moby.image.id\",\"aux\":{\"ID\":\"sha256:1\"}}\n".to_owned());
    let project = Project::of_script("base_image = \"localhost:1/base:1\"\nlocal_image = true", HELLO);
    let plan = project.folder.json(&["preview", "--format", "json"])["plan"].as_str().unwrap().to_owned();
    let daemon = fake::Daemon { build, transfer, plan, ..fake::Daemon::default() }.start();
    let spec = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    let at_daemon = format!("[storage]\nbase_url = \"tcp://{daemon}\"");
    project.folder.write("flowhold.toml", spec.replace("[storage]", &at_daemon));
    project.folder.run(&["pull"]).fails(69, &["pull of \"localhost:1/base:1\" failed: denied: not yours"]);
    let pushed = format!("push of {:?} failed: denied: not yours", project.reference());
    project.try_build_by("1", &[]).fails(69, &[&pushed, "docker login"]);
}

/// Another build may have given the image's name to its own image.
#[test]
fn only_the_image_of_the_plan_is_pushed() {
    let project = Project::of_script("", HELLO);
    project.build(&["--no-push"]);
    let first = project.storage_text();
    project.folder.write("flow.py", "print('another')\n");
    project.build(&["--no-push"]);
    project.folder.write("first.json", &first);
    project.folder.run(&["push", "--storage", "first.json"]).fails(1, &[&project.reference(), "another build"]);
    assert_eq!(std::fs::read_to_string(project.folder.path().join("first.json")).unwrap(), first);
    assert_eq!(registry::digest(&project.reference()), None);
    project.folder.run(&["push"]).ok();
}

#[test]
fn a_missing_registry_is_a_warning_when_building_and_an_error_when_pushing() {
    let project = Project::of_script("registry_url = ", HELLO);
    let done = project.try_build(&[]).ok();
    assert!(done.stderr.contains("warning[push-without-registry]"), "{done:#?}");
    let report = done.json();
    assert_eq!(report["image"], format!("{}:v1", project.name));
    assert_eq!((&report["pushed"], &report["digest"]), (&json!(false), &json!(null)));
    let done = project.try_build(&["--no-push"]).ok();
    assert!(!done.stderr.contains("warning"), "{done:#?}");
    project.folder.run(&["push"]).fails(1, &["no registry", "registry_url"]);
}

#[test]
fn an_image_that_is_gone_cannot_be_pushed_or_run() {
    let project = Project::of_script("", HELLO);
    project.build(&["--no-push"]);
    forget(&project.reference());
    project.folder.run(&["push"]).fails(1, &[&project.reference()]);
    project.folder.run(&["run", "flow"]).fails(1, &[&project.reference()]);
    assert_eq!(registry::digest(&project.reference()), None);
}

/// As on a machine other than the one that built the image.
#[test]
fn what_was_pushed_is_pulled_by_those_who_use_it() {
    let project = Project::of_script("", HELLO);
    project.build(&[]);
    let script = std::fs::read_to_string(project.folder.path().join("flow.py")).unwrap();
    for (command, code, printed) in
        [(["run", "flow"].as_slice(), 7, "hello nobody\n"), (&["get", "flow", "--storage", "storage.json"], 0, &script)]
    {
        forget(&project.reference());
        let done = project.folder.run(command);
        assert_eq!((done.code, done.stdout.as_str()), (code, printed), "{done:#?}");
        assert!(has_image(&project.reference()));
    }
}

/// Two specs in one folder write the same storage.json: neither gets the other's image.
#[test]
fn the_storage_of_another_spec_is_not_used() {
    let project = Project::of_script("", HELLO);
    let text = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    project.folder.write("staging.toml", text.replace(":v1", ":staging").replace("\"v1\"", "\"staging\""));
    project.build(&["--no-push", "-f", "staging.toml"]);
    assert_eq!(project.storage()["spec"], "staging.toml");
    let words = "was built from staging.toml before";
    let base = text.lines().find(|line| line.starts_with("base_image")).unwrap();
    project.folder.write("broken.toml", text.replace(base, "base_image = \"localhost:1/none\""));
    let failed = project.try_build(&["--no-push", "-f", "broken.toml"]);
    assert!(failed.code != 0 && !failed.stderr.contains(words), "{failed:#?}");
    let built = project.try_build(&["--no-push"]).ok();
    assert!(built.stderr.contains(words), "{built:#?}");
    for command in [["run", "flow", "-f", "staging.toml"].as_slice(), &["push", "-f", "staging.toml"]] {
        let told = ["was built from \"flowhold.toml\"", "staging.toml again", "-o"];
        project.folder.run(command).fails(1, &told);
    }
    assert_eq!(registry::digest(&project.reference()), None);
    for command in [["run", "flow", "-f", "flowhold.toml"].as_slice(), &["run", "flow"]] {
        assert_eq!(project.folder.run(command).code, 7);
    }
}

/// Otherwise each build would have another plan, and nothing would say why.
#[test]
fn the_storage_that_is_written_into_files_is_told() {
    let project = Project::of_script("", HELLO);
    let folder = project.folder.path().to_str().unwrap();
    let text = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    project
        .folder
        .write("flowhold.toml", text.replace("[[flows]]", &format!("files.{} = \"/srv\"\n[[flows]]", quoted(folder))));
    let told = project.try_build(&["--no-push"]).ok().stderr;
    assert!(told.contains("warning[output-in-files]"), "{told}");
    let told = project.try_build(&["--no-push", "-o", "/dev/null"]).ok().stderr;
    assert!(!told.contains("warning[output-in-files]"), "{told}");
}

#[test]
fn the_base_image_is_pulled() {
    let base = format!("{}/tests/{}:base", environment("FLOWHOLD_TEST_REGISTRY"), unique());
    docker(&["tag", &environment("FLOWHOLD_TEST_BASE_IMAGE"), &base]).ok();
    docker(&["push", &base]).ok();
    forget(&base);
    let project = Project::of_script(&format!("base_image = {}", quoted(&base)), HELLO);
    assert_eq!(project.folder.json(&["pull", "--format", "json"]), json!({ "image": base }));
    assert!(has_image(&base));

    // A wrong spec is reported as by `build`.
    let wrong = Project::of_script("base_image = \"Python\"\nimagename = \"a\"", HELLO);
    let told = |command: &str| wrong.folder.run(&[command]).fails(1, &["invalid-reference", "unknown-key"]).stderr;
    assert_eq!(told("pull"), told("build"));

    // A build pulls the base image, too.
    forget(&base);
    project.build(&["--no-push"]);
    assert!(has_image(&base));
}
