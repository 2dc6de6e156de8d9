//! Many builds at once, and many runs one after the other. `FLOWHOLD_LOAD` multiplies the runs, if you have an hour.

use std::process::Stdio;

use flowhold_tests::{Done, environment};

use crate::{
    daemon::{containers, docker, wait_for},
    project::Project,
    registry,
};

fn times(count: usize) -> usize {
    let factor = std::env::var("FLOWHOLD_LOAD").map_or(1, |factor| factor.parse().unwrap());
    count * factor
}

/// How many files the daemon has open.
fn files_of_daemon() -> usize {
    let socket = environment("DOCKER_HOST");
    let pid = std::fs::read_to_string(socket.replace("unix://", "").replace("docker.sock", "dockerd.pid")).unwrap();
    std::fs::read_dir(format!("/proc/{}/fd", pid.trim())).unwrap().count()
}

#[test]
fn fifty_builds_at_once() {
    let projects: Vec<_> = (0..50).map(|number| Project::of_script("", &format!("print({number})\n"))).collect();
    let children: Vec<_> = projects
        .iter()
        .map(|project| {
            let mut command = project.folder.command(&["build", "--format", "json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (project, child) in projects.iter().zip(children) {
        let report = Done::of(child.wait_with_output().unwrap()).ok().json();
        assert_eq!(registry::digest(&project.reference()).as_deref(), report["digest"].as_str());
        assert!(containers(&project.name).is_empty());
    }
}

#[test]
fn one_run_after_the_other() {
    let project = Project::of_script("", "print('x')\n");
    project.build(&["--no-push"]);
    let volumes = || docker(&["volume", "ls", "--quiet"]).ok().stdout.lines().count();
    let run = || assert_eq!(project.folder.run(&["run", "flow"]).ok().stdout, "x\n");
    run();
    let (files, before) = (files_of_daemon(), volumes());
    for _ in 0..times(40) {
        run();
    }
    assert!(containers(&project.name).is_empty());
    assert_eq!(volumes(), before);
    // The daemon has files open for other tests, for a while.
    wait_for("the daemon has closed what the runs had open", || (files_of_daemon() <= files + 30).then_some(()));
}
