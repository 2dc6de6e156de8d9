//! `flowhold get` from outside an image, and inside it.

use std::{fs, process::Output};

use flowhold_tests::{binary, environment};

use crate::{
    daemon::{client, containers, docker, forget},
    project::Project,
};

fn project() -> Project {
    let project =
        Project::new("", &["path = \"script.py\"", "path = \"callables.py\"\nobject = \"greet\"\nname = \"greet\""]);
    project.folder.write("script.py", "print('žluť')\r\n");
    project.folder.write("callables.py", include_str!("flows/callables.py"));
    project.build(&["--no-push", "--python", &environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON")]);
    project
}

fn bytes(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_bytes_are_those_in_the_image_which_is_not_run() {
    let project = project();
    let storage = ["--storage", "storage.json"];
    for (flow, location) in [("script", "/root/.prefect/script.prefect"), ("greet", "/root/.prefect/greet.prefect")] {
        let stored = bytes(client(&["run", "--rm", &project.reference(), "cat", location]).output().unwrap());
        for name in [flow, location] {
            let got = bytes(project.folder.command(&[&["get", name][..], &storage].concat()).output().unwrap());
            assert_eq!(got, stored, "{name}");
        }
        let size = project.storage()["contents"][flow]["size"].as_u64().unwrap();
        assert_eq!(stored.len() as u64, size);
    }
    project.folder.run(&[&["get", "script", "-o", "got.py"][..], &storage].concat()).ok();
    assert_eq!(fs::read(project.folder.path().join("got.py")).unwrap(), "print('žluť')\r\n".as_bytes());
    // A file that is there is not overwritten.
    project.folder.run(&[&["get", "greet", "-o", "got.py"][..], &storage].concat()).fails(1, &["exists already"]);
    assert_eq!(fs::read(project.folder.path().join("got.py")).unwrap(), "print('žluť')\r\n".as_bytes());
    let unknown = ["get", "/root/.prefect/other.prefect"];
    project.folder.run(&[&unknown[..], &storage].concat()).fails(1, &["other.prefect", "script"]);
    assert_eq!(containers(&project.name), [""; 0]);
}

#[test]
fn inside_the_image_it_reads_the_file() {
    let project = project();
    let tool = format!("{}:/flowhold:ro", binary().display());
    let storage = format!("{}:/storage.json:ro", project.folder.path().join("storage.json").display());
    for more in [["--storage", "/storage.json"].as_slice(), &[]] {
        let run = |location: &str| {
            // Inside the container there is no daemon to ask.
            let arguments = ["run", "--rm", "--network", "none", "--volume", &tool, "--volume", &storage];
            let get = [&project.reference(), "/flowhold", "get", location];
            client(&[&arguments[..], &get, more].concat()).output().unwrap()
        };
        assert_eq!(bytes(run("/root/.prefect/script.prefect")), "print('žluť')\r\n".as_bytes());
        let other = run("/root/.prefect/other.prefect");
        assert_eq!(other.status.code(), Some(1), "{other:?}");
    }
}

#[test]
fn an_image_without_the_flow_is_told() {
    let project = project();
    let arguments = ["get", "script", "--storage", "storage.json"];
    // This image has the plan's label, but has lost the flow.
    let dockerfile = format!("FROM {}\nRUN rm /root/.prefect/script.prefect\n", project.reference());
    project.folder.write("other/Dockerfile", dockerfile);
    let other = project.folder.path().join("other");
    docker(&["build", "--tag", &project.reference(), other.to_str().unwrap()]).ok();
    project.folder.run(&arguments).fails(1, &["/root/.prefect/script.prefect", &project.reference()]);
    // Another image has the image's name.
    docker(&["tag", &environment("FLOWHOLD_TEST_BASE_IMAGE"), &project.reference()]).ok();
    for command in [&arguments[..], &["run", "script"]] {
        project.folder.run(command).fails(1, &["is not that of the plan", &project.reference(), "build again"]);
    }
    forget(&project.reference());
    project.folder.run(&arguments).fails(1, &[&project.reference()]);
}
