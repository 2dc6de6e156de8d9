//! Registries that fail for a while, for good, or half-way.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use flowhold_tests::{Done, environment};

use crate::{
    daemon::{containers, docker, forget, has_image, has_images_in_containerd},
    project::{BEFORE, BUILDERS, Project, quoted, unique},
    proxy::{Fault, Proxy},
    registry::{self, Registry},
    registry_killed::pushes,
};

const SCRIPT: &str = "print('x')\n";

/// A small image that the registry has and the daemon has not, as a path in the registry.
pub(crate) struct Remote(pub(crate) String);

impl Remote {
    pub(crate) fn new() -> Self {
        Self::at(&environment("FLOWHOLD_TEST_REGISTRY"), 4)
    }

    /// An image of this many MiB in another registry.
    pub(crate) fn at(registry: &str, mebibytes: u64) -> Self {
        let path = format!("tests/{}:base", unique());
        let name = format!("{registry}/{path}");
        let folder = flowhold_tests::Folder::new();
        // The layer has bytes that don't compress, and that no other layer has.
        let mut random = Vec::new();
        let source = std::fs::File::open("/dev/urandom").unwrap();
        std::io::Read::read_to_end(&mut std::io::Read::take(source, mebibytes << 20), &mut random).unwrap();
        folder.write("layer/random", random);
        let tar = folder.path().join("layer.tar");
        let made = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(folder.path()).arg("layer").status().unwrap();
        assert!(made.success());
        docker(&["import", tar.to_str().unwrap(), &name]).ok();
        docker(&["push", &name]).ok();
        // Otherwise the daemon would have the image's layers.
        docker(&["image", "rm", &name]).ok();
        Self(path)
    }

    /// Pulls the image through the proxy; afterwards the daemon forgets the image.
    pub(crate) fn pull(&self, proxy: &Proxy) -> Done {
        let name = format!("{}/{}", proxy.address, self.0);
        let project = Project::of_script(&format!("base_image = {}", quoted(&name)), SCRIPT);
        let done = project.folder.run(&["pull"]);
        assert_eq!(has_image(&name), done.code == 0);
        docker(&["image", "rm", &name]);
        done
    }
}

/// A project that was built, and its image's name at the proxy.
pub(crate) fn built(proxy: &Proxy) -> (Project, String) {
    let registry_url = format!("{}/tests", proxy.address);
    let project = Project::of_script(&format!("registry_url = {}", quoted(&registry_url)), SCRIPT);
    project.build(&["--no-push"]);
    let name = format!("{registry_url}/{}:v1", project.name);
    (project, name)
}

/// The digest that the real registry has under the name of an image at the proxy.
pub(crate) fn published(name: &str) -> Option<String> {
    published_at(&environment("FLOWHOLD_TEST_REGISTRY"), name)
}

/// The digest that another registry has under the name of an image at the proxy.
pub(crate) fn published_at(registry: &str, name: &str) -> Option<String> {
    let (_, path) = name.split_once('/').unwrap();
    registry::digest(&format!("{registry}/{path}"))
}

/// Checks all rows at the same time: most of the time is spent waiting.
fn side_by_side<T: Send>(rows: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let check = &check;
    thread::scope(|scope| rows.into_iter().for_each(|row| drop(scope.spawn(move || check(row)))));
}

const BUSY: &str = "503 Service Unavailable";
const SLOWLY: &str = "429 Too Many Requests\r\nRetry-After: 1";

#[test]
fn a_pull_that_fails_in_passing_is_tried_again() {
    // The daemon doesn't report some of these faults, but retries by itself.
    side_by_side([Fault::Answer(BUSY), Fault::Answer(SLOWLY), Fault::Cut(0), Fault::Cut(100)], |fault| {
        let (proxy, remote) = (Proxy::new(), Remote::new());
        proxy.fail(&["/manifests/"], 1, fault);
        remote.pull(&proxy).ok();
        assert_eq!(proxy.heal(), 1);
    });
}

/// The daemon itself asks again.
#[test]
fn the_rest_of_a_layer_is_asked_for() {
    let (proxy, remote) = (Proxy::new(), Remote::new());
    proxy.fail(&["GET", "/blobs/"], 1, Fault::Cut(1 << 20));
    proxy.fail(&["GET", "/blobs/"], 2, Fault::Slow(Duration::from_millis(5)));
    remote.pull(&proxy).ok();
    assert!(proxy.heal() > 0);
}

#[test]
fn a_push_that_fails_in_passing_is_tried_again() {
    let mut rows = vec![Fault::Answer(BUSY), Fault::Answer(SLOWLY), Fault::Cut(0)];
    // containerd retries by itself without a word, and sends no manifest twice.
    let by_itself = has_images_in_containerd();
    if by_itself {
        rows.truncate(1);
    }
    side_by_side(rows, |fault| {
        let proxy = Proxy::new();
        let (project, name) = built(&proxy);
        proxy.fail(&["PUT", "/manifests/"], 1, fault);
        let done = project.folder.run(&["push"]).ok();
        assert_eq!(proxy.heal(), 1);
        assert_eq!(published(&name).as_deref(), project.storage()["digest"].as_str());
        assert!(by_itself || done.stderr.contains("trying again"), "{done:#?}");
    });
}

/// The push takes longer than Flowhold's patience with a registry that makes no progress.
#[test]
fn a_long_push_is_tried_again_too() {
    let proxy = Proxy::new();
    let (project, name) = built(&proxy);
    let [layer, manifest] = pushes();
    proxy.fail(layer, 1, Fault::During(Arc::new(|| thread::sleep(Duration::from_secs(35)))));
    proxy.fail(manifest, 1, Fault::Answer("503 Service Unavailable"));
    project.folder.run(&["push"]).ok();
    assert_eq!(proxy.heal(), 2);
    assert_eq!(published(&name).as_deref(), project.storage()["digest"].as_str());
}

#[test]
fn what_does_not_pass_fails_with_75() {
    let (proxy, remote) = (Proxy::new(), Remote::new());
    proxy.fail(&["/manifests/"], usize::MAX, Fault::Answer("429 Too Many Requests\r\nRetry-After: 3600"));
    remote.pull(&proxy).fails(75, &[&proxy.address, "try again"]);
    proxy.heal();
    let (project, name) = built(&proxy);
    proxy.fail(&["PUT", "/manifests/"], usize::MAX, Fault::Answer("500 Internal Server Error"));
    project.folder.run(&["push"]).fails(75, &[&proxy.address, "attempt 2 of 4", "try again"]);
    proxy.heal();
    assert!(project.storage()["digest"].is_null());
    assert_eq!(published(&name), None);
}

#[test]
fn what_no_waiting_mends_fails_at_once() {
    let (proxy, remote) = (Proxy::new(), Remote::new());
    for (answer, code, words) in [
        ("401 Unauthorized", 69, "docker login"),
        ("403 Forbidden", 69, "docker login"),
        ("404 Not Found", 1, "check the name"),
    ] {
        proxy.fail(&["/manifests/"], usize::MAX, Fault::Answer(answer));
        let done = remote.pull(&proxy).fails(code, &[&proxy.address, words]);
        assert!(!done.stderr.contains("trying again"), "{done:#?}");
        proxy.heal();
    }
    let (project, name) = built(&proxy);
    for (answer, code) in [("401 Unauthorized", 69), ("403 Forbidden", 69)] {
        proxy.fail(&["PUT", "/manifests/"], usize::MAX, Fault::Answer(answer));
        let done = project.folder.run(&["push"]).fails(code, &[&proxy.address]);
        assert!(!done.stderr.contains("trying again"), "{done:#?}");
        proxy.heal();
        assert_eq!(published(&name), None);
    }
}

#[test]
fn a_base_image_that_goes_between_pull_and_build() {
    let proxy = Proxy::new();
    let path = format!("tests/{}:base", unique());
    let name = format!("{}/{path}", environment("FLOWHOLD_TEST_REGISTRY"));
    docker(&["tag", &environment("FLOWHOLD_TEST_BASE_IMAGE"), &name]).ok();
    docker(&["push", &name]).ok();
    forget(&name);
    let base = format!("{}/{path}", proxy.address);
    let project = Project::of_script(&format!("base_image = {}", quoted(&base)), SCRIPT);
    project.folder.write("storage.json", BEFORE);
    // The pull asks for the manifest once or twice; BuildKit asks again, and by then the image is gone everywhere.
    project.folder.run(&["pull"]).ok();
    let gone = base.clone();
    let go = Arc::new(move || forget(&gone));
    let mut command = project.folder.command(&["build", "--progress", "plain"]);
    command.env("DOCKER_BUILDKIT", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let mut said = String::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        said += &line;
        said.push('\n');
        if line.starts_with("pulled") {
            proxy.fail(&["/manifests/"], usize::MAX, Fault::After(go.clone(), "404 Not Found"));
        }
    }
    let code = child.wait().unwrap().code();
    assert!(said.contains("\npulled") || said.starts_with("pulled"), "{said}");
    // Either BuildKit already had what it needed, and the build succeeds, or it says what is missing.
    assert!(matches!(code, Some(0 | 1)), "{said}");
    assert!(if code == Some(0) { has_image(&project.reference()) } else { said.contains(&base) }, "{said}");
    assert_eq!(code == Some(0), project.storage_text() != BEFORE);
}

#[test]
fn one_spec_built_twice_at_the_same_time() {
    for builder in BUILDERS {
        let project = Project::of_script("naming = \"plan\"\nimage_name = \nimage_tag = ", SCRIPT);
        let build = || {
            let mut command = project.folder.command(&["build", "--format", "json"]);
            command.env("DOCKER_BUILDKIT", builder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let reports = [build(), build()].map(|child| Done::of(child.wait_with_output().unwrap()).ok().json());
        assert_eq!(reports[0]["plan"], reports[1]["plan"]);
        let image = reports[0]["image"].as_str().unwrap();
        assert_eq!(reports[1]["image"], image);
        // Each build may have made an image of its own; the tag is then that of the image that was pushed last.
        let pushed = reports.each_ref().map(|report| report["digest"].clone());
        assert!(pushed.contains(&project.storage()["digest"]));
        assert!(pushed.contains(&registry::digest(image).unwrap().into()));
        let (repository, _) = image.rsplit_once(':').unwrap();
        for digest in &pushed {
            docker(&["pull", &format!("{repository}@{}", digest.as_str().unwrap())]).ok();
        }
        assert!(containers(&project.name).is_empty());
        project.folder.run(&["run", "flow"]).ok();
    }
}

/// A registry on a disk of two megabytes. Only root can mount the disk.
struct Small(Registry);

impl Small {
    fn new() -> Self {
        Self(Registry::on(|data| {
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(data).status();
            assert!(mount.unwrap().success());
        }))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.0.kill();
        Command::new("umount").arg(self.0.data()).status().ok();
    }
}

#[test]
fn a_registry_whose_disk_is_full() {
    let small = Small::new();
    let project =
        Project::of_script(&format!("registry_url = {}", quoted(&format!("{}/tests", small.0.address))), SCRIPT);
    project.folder.write("storage.json", BEFORE);
    let name = format!("{}/tests/{}:v1", small.0.address, project.name);
    project.try_build(&[]).fails(75, &[&name, "try again"]);
    assert_eq!(project.storage_text(), BEFORE);
    assert_eq!(registry::digest(&name), None);
}
