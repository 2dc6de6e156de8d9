//! How images get their names, and builds that must have an expected plan.

use flowhold_tests::environment;
use serde_json::Value;

use crate::{
    daemon::{docker, forget, has_image},
    project::{Project, quoted},
    registry,
};

/// A project with a script, and neither name nor tag in the spec.
fn unnamed(storage: &str) -> Project {
    let project = Project::of_script(&format!("image_name = \nimage_tag = \n{storage}"), "");
    // No other test has this plan.
    project.folder.write("flow.py", format!("print({})\n", quoted(&project.name)));
    project
}

/// Registry, name and tag of the image in a report.
#[track_caller]
fn parts(report: &Value) -> (&str, &str, &str) {
    let (registry, name) = report["image"].as_str().unwrap().rsplit_once('/').unwrap();
    let (name, tag) = name.split_once(':').unwrap();
    (registry, name, tag)
}

/// A version 4 UUID as RFC 4122 writes it.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(hex))
        && groups[2].starts_with('4')
        && groups[3].starts_with(['8', '9', 'a', 'b'])
}

#[test]
fn by_default_both_are_uuids() {
    let project = unnamed("");
    let (first, second) = (project.build(&[]), project.build(&["--no-push"]));
    let (registry, name, tag) = parts(&first);
    assert_eq!(registry, format!("{}/tests", environment("FLOWHOLD_TEST_REGISTRY")));
    assert!(is_uuid(name) && is_uuid(tag), "{first:#}");
    assert_ne!(name, tag);
    let (_, other_name, other_tag) = parts(&second);
    assert!(name != other_name && tag != other_tag, "{second:#}");
    assert_eq!(first["plan"], second["plan"]);
    assert_eq!(first["digest"].as_str(), registry::digest(first["image"].as_str().unwrap()).as_deref());
    let storage = project.storage();
    assert_eq!((storage["image_name"].as_str(), storage["image_tag"].as_str()), (Some(other_name), Some(other_tag)));
    project.folder.run(&["run", "flow"]).ok();
}

#[test]
fn a_flow_can_name_its_image() {
    let project = unnamed("naming = \"flow\"");
    let spec = project.folder.path().join("flowhold.toml");
    let text = std::fs::read_to_string(&spec).unwrap();
    let name = format!("{} Überblick, täglich", project.name);
    std::fs::write(spec, format!("{text}name = {}\n", quoted(&name))).unwrap();
    let report = project.build(&["--no-push"]);
    let (_, image, tag) = parts(&report);
    assert_eq!(image, format!("{}-uberblick-taglich", project.name));
    let shape: String = tag.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    // The specification's tag: the slug of an ISO 8601 timestamp.
    assert!(["0000-00-00t00-00-00-000z", "0000-00-00t00-00-00-000000"].contains(&shape.as_str()), "{tag}");
    assert!(has_image(report["image"].as_str().unwrap()));
    let given = Project::of_script("naming = \"flow\"", "print('x')\n");
    assert_eq!(given.build(&["--no-push"])["image"], given.reference());
}

/// Under a tag that the spec names, the registry may have an earlier plan's image.
#[test]
fn a_plan_under_a_tag_of_ones_own_is_pushed() {
    let project = unnamed("naming = \"plan\"\nimage_tag = \"v1\"");
    let first = project.build(&[]);
    project.folder.write("flow.py", "print('other')\n");
    project.build(&["--no-push"]);
    let second = project.build(&[]);
    assert_eq!(first["image"], second["image"]);
    assert_ne!(first["digest"], second["digest"], "{second:#}");
    assert_eq!(second["digest"].as_str(), registry::digest(first["image"].as_str().unwrap()).as_deref());
}

#[test]
fn a_plan_is_built_and_pushed_once() {
    let project = unnamed("naming = \"plan\"");
    let first = project.build(&["--no-push"]);
    let image = first["image"].as_str().unwrap();
    let (_, name, tag) = parts(&first);
    assert_eq!(name, "flow");
    assert_eq!(format!("sha256:{tag}"), first["plan"].as_str().unwrap());
    assert_eq!(project.folder.json(&["preview", "--format", "json"])["image"]["reference"], image);

    // The image is in the daemon alone: it is pushed, not built.
    let second = project.build(&[]);
    assert_eq!((&second["image"], &second["pushed"]), (&first["image"], &Value::Bool(true)));
    let steps: Vec<_> = second["steps"].as_array().unwrap().iter().collect();
    assert_eq!(steps.len(), 2, "{second:#}");
    assert!(steps[0]["cached"] == true && steps[1]["cached"] == false, "{second:#}");
    let digest = registry::digest(image);
    assert!(digest.is_some());
    assert_eq!(second["digest"].as_str(), digest.as_deref());

    // The image is in the registry too: there is nothing to do, the output says so, and it counts as pushed.
    let done = project.try_build(&[]).ok();
    let third = done.json();
    assert!(third["steps"].as_array().unwrap().iter().all(|step| step["cached"] == true), "{third:#}");
    assert_eq!((&third["pushed"], third["digest"].as_str()), (&Value::Bool(true), digest.as_deref()));
    let said = third["steps"].to_string() + &done.stderr;
    assert!(said.contains("already"), "{done:#?}");
    assert!(!done.stderr.contains("step 1"), "{done:#?}");
    // The summary for people says so, too.
    let human = project.folder.run(&["build"]).ok();
    assert!((human.stdout + &human.stderr).contains("already"));

    // The image is gone from the daemon: it is built again, from the daemon's cache.
    forget(image);
    let fourth = project.build(&[]);
    assert!(has_image(image));
    assert_eq!(fourth["digest"].as_str(), registry::digest(image).as_deref());
    // Another flow is another plan.
    project.folder.write("flow.py", "print('other')\n");
    assert_ne!(project.build(&["--no-push"])["image"], image);
}

#[test]
fn an_image_of_that_name_from_elsewhere_is_no_built_plan() {
    let project = unnamed("naming = \"plan\"");
    let image =
        project.folder.json(&["preview", "--format", "json"])["image"]["reference"].as_str().unwrap().to_owned();
    docker(&["tag", &environment("FLOWHOLD_TEST_BASE_IMAGE"), &image]).ok();
    project.build(&["--no-push"]);
    project.folder.run(&["run", "flow"]).ok();
}

#[test]
fn only_the_expected_plan_is_built() {
    let project = Project::of_script("", "print('x')\n");
    let plan = project.folder.json(&["preview", "--format", "json"])["plan"].as_str().unwrap().to_owned();
    let wrong = format!("sha256:{}", "0".repeat(64));
    project.try_build(&["--no-push", "--expect-plan", &wrong]).fails(1, &[&plan, &wrong]);
    assert!(!has_image(&project.reference()));
    assert!(!project.folder.path().join("storage.json").exists());
    project.try_build(&["--no-push", "--expect-plan", "latest"]).fails(1, &["latest"]);

    let report = project.build(&["--no-push", "--expect-plan", &plan]);
    assert_eq!(report["plan"], plan.as_str());
    project.folder.write("flow.py", "print('y')\n");
    let before = project.storage_text();
    project.try_build(&["--no-push", "--expect-plan", &plan]).fails(1, &[&plan]);
    assert_eq!(project.storage_text(), before);
    assert_eq!(project.folder.run(&["run", "flow"]).ok().stdout, "x\n");
}
