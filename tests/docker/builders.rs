//! BuildKit and the classic builder: the same spec makes the same image, and errors are equally clear.

use std::{
    collections::BTreeMap,
    io::Read,
    time::{Duration, Instant},
};

use flowhold_tests::{Folder, environment};
use serde_json::Value;

use crate::{
    daemon::{docker, forget, has_image, has_images_in_containerd, inspect, text_inside},
    fake,
    project::{BUILDERS, Project, quoted, unique},
    registry,
};

/// Each file of an image: what it is, and the digest of its content.
fn files(image: &str) -> BTreeMap<String, String> {
    let container = docker(&["create", image, "true"]).ok().stdout;
    let container = container.trim();
    let exported = crate::daemon::client(&["export", container]).output().unwrap();
    docker(&["rm", container]).ok();
    assert!(exported.status.success(), "{exported:?}");
    let mut archive = tar::Archive::new(exported.stdout.as_slice());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        // A .pyc has the time of its source in it. The daemon makes the others, for every container.
        let of_container = ["dev/", "proc/", "sys/", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"];
        if path.ends_with(".pyc") || path == ".dockerenv" || of_container.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        let what = format!(
            "{:?} {:o} {}:{} {:?} {}",
            header.entry_type(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            entry.link_name().unwrap(),
            flowhold_core::digest::Digest::of(&content)
        );
        files.insert(path, what);
    }
    files
}

/// The settings that containers of the image get.
fn settings(image: &str) -> Value {
    let mut config = inspect(image)["Config"].take();
    let names = ["Env", "Cmd", "Entrypoint", "WorkingDir", "User", "Labels", "ExposedPorts", "Healthcheck"];
    names.iter().map(|name| ((*name).to_owned(), config[name].take())).collect::<serde_json::Map<_, _>>().into()
}

/// A base image with a layer that no other image has. BuildKit lets simultaneous builds share equal steps, and that of
/// Docker 20.10 may not find the results of such steps in its cache afterwards.
fn own_base() -> String {
    let name = unique();
    let base = environment("FLOWHOLD_TEST_BASE_IMAGE");
    docker(&["run", "--name", &name, "--network", "none", &base, "sh", "-c", "hostname > /etc/own"]).ok();
    docker(&["commit", &name, &name]).ok();
    docker(&["rm", &name]).ok();
    name
}

#[test]
fn both_builders_make_the_same_image() {
    let data = Folder::new();
    data.write("tree/two words/b.txt", "b");
    let storage = format!(
        "python_dependencies = [\"iniconfig==2.0.0\"]\nenv_vars.MODE = \"a \\\"b\\\" $c\"\nfiles.{} = \"/opt/tree\"",
        quoted(data.path().join("tree").to_str().unwrap())
    );
    let project = Project::of_script(&storage, "import iniconfig\nprint('ran')\n");
    let mut made = Vec::new();
    for builder in BUILDERS {
        let report = project.build_by(builder, &["--no-push"]);
        let run = project.folder.run(&["run", "flow", "--progress", "none"]).ok();
        assert_eq!(run.stdout, "ran\n", "{builder}");
        let names: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["name"].to_string()).collect();
        assert!(names[1].starts_with("\"FROM ") && !names.iter().any(|name| name.contains("/7]")), "{names:?}");
        made.push((report["plan"].clone(), settings(&project.reference()), files(&project.reference())));
    }
    let [(plan, settings, files), (other_plan, other_settings, other_files)] = made.try_into().unwrap();
    assert_eq!((plan, settings), (other_plan, other_settings));
    assert!(files.contains_key("opt/tree/two words/b.txt") && files.len() > 100, "{files:#?}");
    for (path, file) in &files {
        assert_eq!(Some(file), other_files.get(path), "{path}");
    }
    assert_eq!(files.len(), other_files.len());
}

#[test]
fn both_take_the_base_image_of_the_platform() {
    let base = format!("{}/tests/{}:base", environment("FLOWHOLD_TEST_REGISTRY"), unique());
    docker(&["tag", &environment("FLOWHOLD_TEST_BASE_IMAGE"), &base]).ok();
    docker(&["push", &base]).ok();
    forget(&base);
    // The programs in the other platform's image are still this machine's, so that they run.
    registry::add_platform(&base, "arm64", "ON=arm64");
    for builder in BUILDERS {
        // In the last row, the daemon has the image for the other platform when it is asked for this one.
        for (platform, on, architecture) in [("", "", "amd64"), ("linux/arm64", "arm64", "arm64"), ("", "", "amd64")] {
            let lines = format!("base_image = {}\nplatform = {}", quoted(&base), quoted(platform));
            let lines = lines.replace("platform = \"\"", "");
            let project = Project::of_script(&lines, "import os\nprint(os.environ.get('ON', ''))\n");
            if builder == "0" && platform == "linux/arm64" && has_images_in_containerd() {
                // https://github.com/moby/moby/issues/47823
                project.try_build_by(builder, &["--no-push"]).fails(1, &["does not provide the specified platform"]);
                continue;
            }
            project.build_by(builder, &["--no-push"]);
            let image = inspect(&project.reference());
            assert_eq!(image["Architecture"], architecture, "{builder} {platform}");
            let run = project.folder.run(&["run", "flow", "--progress", "none"]).ok();
            assert_eq!(run.stdout.trim(), on, "{builder} {platform}");
        }
        forget(&base);
    }
}

#[test]
fn both_find_what_did_not_change_and_push_it() {
    let base = own_base();
    for builder in BUILDERS {
        let storage = format!("base_image = {}\nlocal_image = true", quoted(&base));
        let project = Project::of_script(&storage, "print('first')\n");
        project.build_by(builder, &[]);
        let report = project.build_by(builder, &[]);
        let steps = report["steps"].as_array().unwrap().iter();
        let work: Vec<_> = steps
            .filter(|step| step["cached"] == false)
            .map(|step| step["name"].as_str().unwrap())
            .filter(|name| !["pull ", "push ", "FROM "].iter().any(|start| name.starts_with(start)))
            .collect();
        assert_eq!(work, [""; 0], "{builder}");
        project.folder.write("flow.py", "print('second')\n");
        let report = project.build_by(builder, &[]);
        assert_eq!(report["digest"].as_str(), registry::digest(&project.reference()).as_deref(), "{builder}");
        let flow = text_inside(&project.reference(), &["cat", "/root/.prefect/flow.prefect"]);
        assert_eq!(flow, "print('second')\n", "{builder}");
    }
}

#[test]
fn both_say_why_a_flow_does_not_load() {
    for builder in BUILDERS {
        let project = Project::of_script("", "print('a'\n");
        let done = project.try_build_by(builder, &[]).fails(1, &["'flow'", "SyntaxError", "RUN "]);
        assert!(!has_image(&project.reference()) && done.stdout.is_empty(), "{builder}");
    }
}

#[test]
fn progress_looks_the_same() {
    let base = own_base();
    let storage =
        format!("base_image = {}\nlocal_image = true\npython_dependencies = [\"iniconfig==2.0.0\"]", quoted(&base));
    for builder in BUILDERS {
        let project = Project::of_script(&storage, "print(1)\n");
        // Bytes that no other build has, so that nothing comes from a cache.
        project.folder.write("flow.py", format!("print({})\n", quoted(&project.name)));
        let done = project.try_build_by(builder, &["--no-push", "--progress", "json"]).ok();
        let events: Vec<Value> = done.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let told = |event: &str| events.iter().filter(|told| told["event"] == event).cloned().collect::<Vec<_>>();
        let steps = told("step");
        for (at, step) in steps.iter().enumerate() {
            assert_eq!(step["index"], at + 1, "{builder}: {events:#?}");
            assert_eq!(step["total"], steps.len(), "{builder}: {events:#?}");
        }
        assert!(steps[0]["name"].as_str().unwrap().starts_with("FROM "), "{builder}: {events:#?}");
        assert!(told("context").last().is_some_and(|last| last["complete"] == true), "{builder}: {events:#?}");
        assert!(told("finished").iter().any(|end| end["operation"] == "build"), "{builder}: {events:#?}");
    }
}

/// Builds with a daemon that gives this answer, and asserts that the build fails like this.
#[track_caller]
fn answered(build: impl Into<Option<String>>, code: i32, words: &[&str]) {
    let address = fake::Daemon { build: build.into(), ..fake::Daemon::default() }.start();
    let storage = format!("base_url = \"tcp://{address}\"\nlocal_image = true\nbase_image = \"python:3.9\"");
    let project = Project::of_script(&storage, "print(1)\n");
    let start = Instant::now();
    project.try_build_by("1", &[]).fails(code, words);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(!project.folder.path().join("storage.json").exists());
}

#[test]
fn a_daemon_that_stops_or_makes_no_sense() {
    let image = "{\"id\":\"moby.image.id\",\"aux\":{\"ID\":\"sha256:2\"}}\n";
    answered(String::new(), 75, &["closed the connection before the build ended"]);
    answered("{\"id\":\"moby.buildkit.trace\",\"aux\":\"\"}\n".to_owned(), 75, &["before the build ended"]);
    // The image that has the name is another than the one that was built.
    answered(image.to_owned(), 75, &["before the build ended"]);
    answered("<html>\n".to_owned(), 75, &["before the build ended"]);
    answered("{\"id\":\"moby.buildkit.trace\",\"aux\":\"?\"}\n".to_owned(), 75, &["before the build ended"]);
    answered("x".repeat(17 << 20), 75, &["before the build ended"]);
    answered("{\"stream\":\"Step 1/2 : FROM python\"}\n".to_owned(), 69, &["needs BuildKit", "18.09"]);
    answered(None, 69, &["no session", "status 403", "DOCKER_BUILDKIT=0"]);
    let full = "{\"errorDetail\":{\"message\":\"write /x: no space left on device\"}}\n";
    answered(full.to_owned(), 69, &["no space left", "docker system prune"]);
}
