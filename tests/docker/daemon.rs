//! The daemon as others see it: through Docker's own client, and not through Flowhold.

use std::{fs, process::Command, sync::RwLock};

pub(crate) use flowhold_tests::wait_for;
use flowhold_tests::{Done, environment};
use serde_json::Value;

/// Docker's client, about to be run.
pub(crate) fn client(arguments: &[&str]) -> Command {
    let mut command = Command::new(environment("FLOWHOLD_TEST_DOCKER"));
    command.args(arguments);
    command
}

/// Ids of the processes that have this text in their `cmdline` or `environ`.
pub(crate) fn processes(file: &str, text: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap_or_default());
    let numbers = all.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let has_it = |pid: &String| {
        let found = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&found).contains(text)
    };
    numbers.filter(has_it).collect()
}

/// Sends a signal, such as `-INT`.
#[track_caller]
pub(crate) fn send(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// Runs Docker's client.
pub(crate) fn docker(arguments: &[&str]) -> Done {
    Done::of(client(arguments).output().unwrap())
}

/// Shared by commands that build, exclusive for removing an image: otherwise dockerd 20.10 removes a layer of the same
/// content that its classic builder is using.
static BUILDING: RwLock<()> = RwLock::new(());

/// Runs a command that builds.
pub(crate) fn building(command: &mut Command) -> Done {
    let _no_layer_goes = BUILDING.read().unwrap();
    Done::of(command.output().unwrap())
}

/// Removes an image from the daemon, if it is there.
#[track_caller]
pub(crate) fn forget(image: &str) {
    let nothing_builds = BUILDING.write().unwrap();
    let done = docker(&["image", "rm", "--force", "--no-prune", image]);
    drop(nothing_builds);
    done.ok();
}

/// What a program prints in a new container of the image.
#[track_caller]
pub(crate) fn inside(image: &str, program: &[&str]) -> Vec<u8> {
    let (entrypoint, arguments) = program.split_first().unwrap();
    let mut command = client(&["run", "--rm", "--network", "none", "--entrypoint", entrypoint, image]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What a program prints in a new container of the image, as text.
#[track_caller]
pub(crate) fn text_inside(image: &str, program: &[&str]) -> String {
    String::from_utf8(inside(image, program)).unwrap()
}

/// Whether the daemon keeps images in containerd, as Docker 29 does. containerd then does the pushing and much else.
pub(crate) fn has_images_in_containerd() -> bool {
    docker(&["info", "--format", "{{json .DriverStatus}}"]).ok().stdout.contains("io.containerd.snapshotter")
}

/// What the daemon says about an image.
#[track_caller]
pub(crate) fn inspect(image: &str) -> Value {
    docker(&["image", "inspect", image]).ok().json()[0].take()
}

/// Whether the daemon has an image of that name.
pub(crate) fn has_image(image: &str) -> bool {
    docker(&["image", "inspect", image]).code == 0
}

/// Ids of the containers, running or not, that have this value in their environment. All tests share one daemon: the
/// value tells a test its own containers, including those in which the daemon runs the steps of a build.
pub(crate) fn containers(mark: &str) -> Vec<String> {
    let all = docker(&["ps", "--all", "--quiet", "--no-trunc"]).ok().stdout;
    let ids: Vec<&str> = all.lines().collect();
    if ids.is_empty() {
        return Vec::new();
    }
    // Some containers may be gone by now; the client complains of those on stderr.
    let found = docker(&[&["inspect", "--format", "{{.Id}} {{json .Config.Env}}"], ids.as_slice()].concat()).stdout;
    let lines = found.lines().filter(|line| line.contains(mark));
    lines.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// Waits until no container of that mark is left.
#[track_caller]
pub(crate) fn wait_until_clean(mark: &str) {
    wait_for("the containers are gone", || containers(mark).is_empty().then_some(()));
}
