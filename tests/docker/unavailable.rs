//! Something that is needed isn't there: an image, a registry, a daemon. Each failure has its exit code and says what
//! to do.

use flowhold_tests::environment;

use crate::{
    daemon::{docker, forget, has_image, has_images_in_containerd},
    fake,
    project::{BEFORE, Project, Tagged, quoted, unique},
    registry,
};

const SCRIPT: &str = "print('x')\n";

/// Asserts that a build with this in the spec fails, and leaves an earlier storage.json alone.
#[track_caller]
fn fails(storage: &str, code: i32, words: &[&str]) {
    let project = Project::of_script(storage, SCRIPT);
    project.folder.write("storage.json", BEFORE);
    project.try_build(&[]).fails(code, words);
    assert_eq!(project.storage_text(), BEFORE);
}

fn base(reference: &str) -> String {
    format!("base_image = {}", quoted(reference))
}

#[test]
fn a_base_image_that_does_not_exist() {
    let registry = environment("FLOWHOLD_TEST_REGISTRY");
    for missing in [format!("{registry}/python:no-such-tag"), format!("{registry}/no/such/repository:1")] {
        fails(&base(&missing), 1, &[&missing, "check the name"]);
        let project = Project::of_script(&base(&missing), SCRIPT);
        project.folder.run(&["pull"]).fails(1, &[&missing]);
    }
}

#[test]
fn a_local_base_image_is_never_pulled() {
    let name = format!("{}/tests/{}:base", environment("FLOWHOLD_TEST_REGISTRY"), unique());
    let tagged = Tagged::new(&environment("FLOWHOLD_TEST_BASE_IMAGE"), name);
    docker(&["push", &tagged.0]).ok();
    forget(&tagged.0);
    fails(&format!("{}\nlocal_image = true", base(&tagged.0)), 1, &[&tagged.0]);
    assert!(!has_image(&tagged.0));
}

/// The build fails even if the daemon accepts an image for another platform.
#[test]
fn a_base_image_of_another_platform() {
    let storage = format!("{}\nplatform = \"linux/arm64\"", base(&environment("FLOWHOLD_TEST_BASE_IMAGE")));
    fails(&storage, 1, &["linux/arm64", "platform"]);
    let project = Project::of_script(&storage.replace("arm64", "amd64"), SCRIPT);
    project.build(&["--no-push"]);
}

#[test]
fn a_base_image_without_python() {
    let base = format!("{}/tests/{}:base", environment("FLOWHOLD_TEST_REGISTRY"), unique());
    let folder = flowhold_tests::Folder::new();
    folder.write("Dockerfile", format!("FROM {}\nENV PATH=/bin\n", environment("FLOWHOLD_TEST_BASE_IMAGE")));
    docker(&["build", "--quiet", "--tag", &base, folder.path().to_str().unwrap()]).ok();
    for builder in ["0", "1"] {
        let storage = format!("base_image = {}\nlocal_image = true", quoted(&base));
        let project = Project::of_script(&storage, SCRIPT);
        project.try_build_by(builder, &["--no-push"]).fails(1, &["the base image has no program `python`"]);
    }
    forget(&base);
}

#[test]
fn a_network_that_buildkit_does_not_know() {
    let project = Project::of_script("network = \"bridge\"", SCRIPT);
    project.try_build_by("1", &["--no-push"]).fails(1, &["\"bridge\" not supported", "none, host and default"]);
}

#[test]
fn a_base_image_that_only_the_daemon_has() {
    let name = format!("{}/tests/{}:local", environment("FLOWHOLD_TEST_REGISTRY"), unique());
    let tagged = Tagged::new(&environment("FLOWHOLD_TEST_BASE_IMAGE"), name);
    fails(&base(&tagged.0), 1, &[&tagged.0, "local_image = true"]);
    let project = Project::of_script(&format!("{}\nlocal_image = true", base(&tagged.0)), SCRIPT);
    let report = project.build(&["--no-push"]);
    assert!(!report["steps"].to_string().contains("pull"), "{report:#}");
    project.folder.run(&["run", "flow"]).ok();
}

#[test]
fn a_registry_that_is_down() {
    let nobody = fake::nobody();
    fails(&base(&format!("{nobody}/python:3.9")), 69, &[&nobody, "registry is running"]);
    let project = Project::of_script(&format!("registry_url = {}", quoted(&format!("{nobody}/a"))), SCRIPT);
    project.try_build(&[]).fails(69, &[&nobody, "registry is running"]);
    assert!(!project.folder.path().join("storage.json").exists());
}

#[test]
fn a_registry_that_breaks() {
    let broken = fake::server("500 Internal Server Error", "{\"errors\":[]}");
    fails(&base(&format!("{broken}/python:3.9")), 75, &[&broken]);
}

#[test]
fn a_registry_that_is_busy() {
    let busy =
        fake::server("429 Too Many Requests", "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slowly\"}]}");
    fails(&base(&format!("{busy}/python:3.9")), 75, &[&busy]);
}

#[test]
fn a_registry_that_breaks_while_it_is_pushed_to() {
    let broken = fake::server("500 Internal Server Error", "{\"errors\":[]}");
    let project = Project::of_script(&format!("registry_url = {}", quoted(&format!("{broken}/a"))), SCRIPT);
    let done = project.try_build(&[]).fails(75, &[&broken]);
    // If the daemon itself has tried again for a minute, Flowhold doesn't.
    assert_eq!(done.stderr.contains("attempt 2 of 4"), has_images_in_containerd(), "{done:#?}");
}

#[test]
fn no_daemon() {
    let folder = flowhold_tests::Folder::new();
    let socket = format!("unix://{}/missing.sock", folder.path().display());
    let nobody = format!("tcp://{}", fake::nobody());
    let silent = format!("http://{}", fake::server("200 OK", "It works!"));
    let endless = format!("http://{}", fake::endless());
    for address in [&socket, &nobody, &silent, &endless] {
        let project = Project::of_script(&format!("base_url = {}", quoted(address)), SCRIPT);
        let place = address.split_once("://").unwrap().1;
        for arguments in [&["build"][..], &["pull"]] {
            project.folder.run(arguments).fails(69, &[place, "start docker"]);
        }
        // The address from the environment.
        let project = Project::of_script("", SCRIPT);
        let output = project.folder.command(&["build"]).env("DOCKER_HOST", address).output().unwrap();
        flowhold_tests::Done::of(output).fails(69, &[place, "DOCKER_HOST"]);
    }
    for address in ["ftp://localhost", "localhost:2375", "unix://"] {
        fails(&format!("base_url = {}", quoted(address)), 1, &[address]);
    }
}

#[test]
fn a_daemon_that_has_no_answer_now() {
    let busy = fake::server("503 Service Unavailable", "{\"message\":\"starting\"}");
    fails(&format!("base_url = \"tcp://{busy}\""), 75, &[&busy, "503 starting", "try again"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    fails(&format!("base_url = \"tcp://{address}\""), 75, &[&address.to_string(), "within 15 s", "try again"]);
}

#[test]
fn a_daemon_that_is_too_old() {
    for (head, body, api) in [
        // The answers of Docker 1.12 and of Docker 1.13.
        ("", "{\"Version\":\"1.12.6\",\"ApiVersion\":\"1.24\",\"Os\":\"linux\",\"Arch\":\"amd64\"}", "1.24"),
        ("Api-Version: 1.26\r\n", "OK", "1.26"),
    ] {
        let old = fake::server_with(head, "200 OK", body);
        fails(&format!("base_url = \"tcp://{old}\""), 69, &[&old, api, "1.30", "17.06"]);
    }
}

#[test]
fn the_address_of_the_spec_goes_before_that_of_the_environment() {
    let project = Project::of_script(&format!("base_url = {}", quoted(&environment("DOCKER_HOST"))), SCRIPT);
    let nobody = "unix:///missing/docker.sock";
    let output = project.folder.command(&["build"]).env("DOCKER_HOST", nobody).output().unwrap();
    flowhold_tests::Done::of(output).ok();
    assert!(has_image(&project.reference()) && registry::digest(&project.reference()).is_some());
    // Without the spec, the storage remembers the address.
    project.build(&[]);
    let output = project.folder.command(&["run", "flow"]).env("DOCKER_HOST", nobody).output().unwrap();
    flowhold_tests::Done::of(output).ok();
}
