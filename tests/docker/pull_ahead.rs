//! The base image is pulled while flows are pickled, as soon as it is known that it will be needed.

use flowhold_tests::{Done, Folder, environment};

use crate::{
    fake,
    project::{Project, quoted},
};

/// Waits until the registry is asked, for so many seconds; else its flow has another name.
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

/// What a build says whose base image is in a registry that has nothing, and in which nobody asks for more than this.
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
    // Told of once, and when it is waited for.
    let told: Vec<_> = done.stderr.lines().filter(|line| line.starts_with("pull")).collect();
    assert!(
        matches!(told[..], [begun, failed] if begun.starts_with("pulling ") && failed.starts_with("pull failed")),
        "{done:#?}"
    );
}

#[test]
fn a_build_that_may_come_to_nothing_pulls_nothing_before() {
    let digest = format!("sha256:{}", "0".repeat(64));
    build("", 1, &["--expect-plan", &digest]).fails(1, &["nobody asked", "sha256:"]);
    // The daemon has no such image, and says so.
    build("local_image = true", 1, &[]).fails(1, &["nobody asked", "no image"]);
    let planned = build("naming = \"plan\"\nimage_tag = ", 1, &[]);
    planned.fails(1, &["nobody asked", "/python:3.9"]);
}

#[test]
fn a_pull_that_was_begun_is_the_builds() {
    let base = environment("FLOWHOLD_TEST_BASE_IMAGE");
    let project = Project::of_script(&format!("base_image = {}", quoted(&base)), "print('x')\n");
    let done = project.try_build(&["--no-push", "--progress", "plain"]).ok();
    let told = |line: &str| done.stderr.lines().filter(|one| one.starts_with(line)).count();
    assert_eq!([told(&format!("pulling {base}")), told("Status: "), told("pulled in ")], [1, 1, 1], "{done:#?}");
}
