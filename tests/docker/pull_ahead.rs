//! The base image is pulled while flows are pickled, as soon as it is known that it will be needed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use flowhold_tests::{Done, Folder, environment};

use crate::{
    fake,
    project::{Project, quoted},
};

/// Waits up to SECONDS seconds until the registry is asked; the flow's name tells whether it was.
const FLOW: &str = "\
import os, time
class Flow:
    name = 'nobody asked'
    def run(self): pass
for _ in range(SECONDS * 100):
    if os.path.exists(ASKED):
        Flow.name = 'asked'
        break
    time.sleep(0.01)
print('the flow is:', Flow.name)
flow = Flow()
";

/// Builds on a base image from a registry that has nothing. The flow waits this long for the registry to be asked.
fn build(storage: &str, seconds: u32, arguments: &[&str]) -> Done {
    let there = Folder::new();
    let asked = there.path().join("asked");
    let base = format!("base_image = \"{}/python:3.9\"", fake::registry_that_tells(asked.clone()));
    let project = Project::new(&format!("{base}\n{storage}"), &["path = \"flow.py\"\nobject = \"flow\""]);
    let flow = FLOW.replace("ASKED", &quoted(asked.to_str().unwrap())).replace("SECONDS", &seconds.to_string());
    project.folder.write("flow.py", flow);
    project.try_build(&[&["--python", &environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON")], arguments].concat())
}

#[test]
fn the_base_image_is_pulled_while_flows_are_pickled() {
    let done = build("", 60, &[]).fails(1, &["the flow is: asked", "/python:3.9"]);
    // The pull is reported once when it begins, and once when it has failed.
    let told: Vec<_> = done.stderr.lines().filter(|line| line.starts_with("pull")).collect();
    assert!(
        matches!(told[..], [begun, failed] if begun.starts_with("pulling ") && failed.starts_with("pull failed")),
        "{done:#?}"
    );
}

#[test]
fn a_build_that_may_come_to_nothing_pulls_nothing_before() {
    let digest = format!("sha256:{}", "0".repeat(64));
    build("", 3, &["--expect-plan", &digest]).fails(1, &["nobody asked", "sha256:"]);
    // The daemon has no such image, and says so.
    build("local_image = true", 3, &[]).fails(1, &["nobody asked", "no image"]);
    let planned = build("naming = \"plan\"\nimage_tag = ", 3, &[]);
    planned.fails(1, &["nobody asked", "/python:3.9"]);
}

#[test]
fn the_daemon_is_asked_once() {
    for platform in ["", "platform = \"linux/amd64\""] {
        let pulls = Arc::<AtomicUsize>::default();
        let daemon = fake::Daemon {
            build: Some("{\"id\":\"moby.image.id\",\"aux\":{\"ID\":\"sha256:1\"}}\n".to_owned()),
            transfer: "{\"status\":\"Pulling from base\",\"id\":\"1\"}\n",
            pulls: Arc::clone(&pulls),
            ..fake::Daemon::default()
        };
        let address = daemon.start();
        let storage = format!("base_url = \"tcp://{address}\"\nbase_image = \"localhost:1/base:1\"\n{platform}");
        let done = Project::of_script(&storage, "print(1)\n").try_build_by("1", &["--no-push"]).ok();
        assert_eq!(pulls.load(Ordering::Relaxed), 1, "{done:#?}");
    }
}
