//! Ctrl-C in the middle of a build.

use std::{
    io::{ErrorKind, Read},
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use flowhold_tests::Done;

use crate::{
    daemon::{containers, docker, has_image, wait_for, wait_until_clean},
    project::{Project, unique},
};

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
        // Of the variables, only those of installers are set in that step's container.
        let mark = format!("{}_PROXY", unique().replace('-', "_"));
        let storage = format!(
            "python_dependencies = [\"slow @ http://{}:{port}/slow-1.0.tar.gz\"]\n\
             env_vars.NO_PROXY = \"*\"\nenv_vars.{mark} = \"1\"",
            gateway()
        );
        let project = Project::of_script(&storage, "print('x')\n");
        project.folder.write("storage.json", "before");

        let mut command = project.folder.command(&["build"]);
        let child =
            command.env("DOCKER_BUILDKIT", builder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut connection, _) = wait_for("pip connects", || listener.accept().ok());
        // BuildKit's are no containers of Docker.
        assert_eq!(containers(&mark).len(), usize::from(builder == "0"));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let done = Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
        assert_eq!(done.stdout, "");
        wait_until_clean(&mark);
        // Whoever asked for the package is gone: of BuildKit's steps nothing else can be seen. Of a container that was
        // removed, the network may be gone before it could say so.
        if builder == "1" {
            connection.set_nonblocking(false).unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let end = connection.read_to_end(&mut Vec::new());
            assert!(!end.is_err_and(|error| error.kind() != ErrorKind::ConnectionReset), "{signal}");
        }
        assert_eq!(project.storage_text(), "before");
        assert!(!has_image(&project.reference()));
    }
}
