//! Ctrl-C, SIGTERM, a closed terminal, and a reader that is gone: in the middle of everything that takes long.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
};

use flowhold_tests::Done;

use crate::{
    daemon::{containers, docker, has_image, processes, send, wait_for},
    faults::{Remote, built, published},
    project::{BEFORE, Project, quoted, unique},
    proxy::Proxy,
};

pub(crate) const SIGNALS: [&str; 3] = ["-INT", "-TERM", "-HUP"];

/// An address of this machine at which containers reach it.
fn gateway() -> String {
    let format = "{{(index .IPAM.Config 0).Gateway}}";
    docker(&["network", "inspect", "bridge", "--format", format]).ok().stdout.trim().to_owned()
}

#[test]
fn an_interrupted_build_leaves_nothing_behind() {
    for (signal, builder) in [("-INT", "1"), ("-TERM", "1"), ("-INT", "0"), ("-TERM", "0")] {
        // A package index that accepts a connection and says nothing: pip waits for it.
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        // Only the installers' variables are set in the container of the installing step.
        let mark = format!("{}_PROXY", unique().replace('-', "_"));
        let storage = format!(
            "python_dependencies = [\"slow @ http://{}:{port}/slow-1.0.tar.gz\"]\n\
             env_vars.NO_PROXY = \"*\"\nenv_vars.{mark} = \"1\"",
            gateway()
        );
        let project = Project::of_script(&storage, "print('x')\n");
        project.folder.write("storage.json", BEFORE);

        let mut command = project.folder.command(&["build"]);
        let child =
            command.env("DOCKER_BUILDKIT", builder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _connection = wait_for("pip connects", || listener.accept().ok());
        let step = format!("{mark}=1");
        assert!(!processes("environ", &step).is_empty());
        // BuildKit's containers are not Docker's, and not listed.
        assert_eq!(containers(&mark).len(), usize::from(builder == "0"));
        send(signal, child.id());
        let done = Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
        assert_eq!(done.stdout, "");
        assert_eq!(containers(&mark), [""; 0]);
        // The connection may stay open without a word: the container's network may be gone first.
        wait_for("the step's processes have ended", || processes("environ", &step).is_empty().then_some(()));
        assert_eq!(project.storage_text(), BEFORE);
        assert!(!has_image(&project.reference()));
    }
}

#[test]
fn an_interrupted_pull_gives_no_image() {
    let (proxy, remote) = (Proxy::new(), Remote::new());
    let base = format!("{}/{}", proxy.address, remote.0);
    let project = Project::of_script(&format!("base_image = {}", quoted(&base)), "print('x')\n");
    project.folder.write("storage.json", BEFORE);
    for signal in SIGNALS {
        let stalled = proxy.stall(&["GET", "/blobs/"]);
        let child = project.watched(&["build"]).spawn().unwrap();
        stalled.recv().unwrap();
        send(signal, child.id());
        Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
        proxy.heal();
        assert!(!has_image(&base) && !has_image(&project.reference()));
        assert_eq!(project.storage_text(), BEFORE);
        project.has_no_temporary_files();
    }
}

#[test]
fn an_interrupted_push_publishes_nothing() {
    let proxy = Proxy::new();
    let (project, name) = built(&proxy);
    let before = project.storage_text();
    for signal in SIGNALS {
        let stalled = proxy.stall(&["PUT", "/manifests/"]);
        let child = project.watched(&["push"]).spawn().unwrap();
        stalled.recv().unwrap();
        send(signal, child.id());
        Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
        proxy.heal();
        assert_eq!(published(&name), None);
        assert_eq!(project.storage_text(), before);
        project.has_no_temporary_files();
    }
    project.folder.run(&["push"]).ok();
    assert!(published(&name).is_some());
}

/// A project whose flow says that it has started, and does not end.
fn endless() -> Project {
    let project =
        Project::of_script("", "import time\nwhile True:\n    print('started', flush=True)\n    time.sleep(0.1)\n");
    project.build(&["--no-push"]);
    project
}

#[test]
fn an_interrupted_run_leaves_no_container() {
    let project = endless();
    for signal in SIGNALS {
        let mut child = project.watched(&["run", "flow"]).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        assert_eq!(containers(&project.name).len(), 1);
        send(signal, child.id());
        let rest = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
        rest.join().unwrap().unwrap();
        assert!(containers(&project.name).is_empty());
        project.has_no_temporary_files();
    }
}

#[test]
fn a_reader_that_has_gone_ends_the_run() {
    let project = endless();
    // As in `flowhold run flow | head -1`; and a closed terminal, to which no error can be written any more.
    for terminal in [false, true] {
        let mut child = project.watched(&["run", "flow"]).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        drop(output);
        if terminal {
            drop(child.stderr.take());
            send("-HUP", child.id());
        }
        let code = child.wait().unwrap().code();
        // 128 and the number of SIGPIPE. With a closed terminal, the first of the two signals ends the run.
        assert!(code == Some(141) || terminal && code.is_some_and(|code| code != 101), "{code:?}");
        assert!(containers(&project.name).is_empty());
        project.has_no_temporary_files();
    }
}
