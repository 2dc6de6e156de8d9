//! Pickled flows: callables and objects with `run()`, which need nothing but cloudpickle.

use flowhold_tests::environment;
use serde_json::json;

use crate::{
    daemon::{client, inside},
    project::Project,
};

fn python() -> String {
    environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON")
}

#[test]
fn several_flows_go_into_one_image() {
    let project = Project::new(
        "",
        &[
            "path = \"callables.py\"\nobject = \"greet\"",
            "path = \"callables.py\"\nobject = \"fail\"\nname = \"Fails, always\"",
            "path = \"callables.py\"\nobject = \"report\"",
            "path = \"hello.py\"",
        ],
    );
    project.folder.write("callables.py", include_str!("flows/callables.py"));
    project.folder.write("hello.py", include_str!("flows/hello.py"));
    let report = project.build(&["--no-push", "--python", &python()]);
    // The object's own name is the flow's; a callable that has none is called like its file.
    assert_eq!(
        report["flows"],
        json!({
            "callables": "/root/.prefect/callables.prefect",
            "Fails, always": "/root/.prefect/fails-always.prefect",
            "monthly report": "/root/.prefect/monthly-report.prefect",
            "hello": "/root/.prefect/hello.prefect",
        })
    );
    assert!(report["storage"]["prefect_version"].is_null());
    for (flow, code, stdout, stderr) in [
        ("callables", 0, "hello Ž\n", ""),
        ("monthly report", 0, "report: monthly report\n", ""),
        ("Fails, always", 1, "", "RuntimeError: out of coffee\n"),
        ("hello", 7, "hello Ž\n", "a word on the side\n"),
    ] {
        let run = project.folder.run(&["run", flow, "-e", "WHO=Ž"]);
        assert_eq!((run.code, run.stdout.as_str()), (code, stdout), "{flow}: {}", run.stderr);
        assert!(run.stderr.ends_with(stderr), "{flow}: {}", run.stderr);
    }
    // Nobody asked for Prefect.
    let found = client(&["run", "--rm", &project.reference(), "python", "-c", "import prefect"]).output().unwrap();
    assert_eq!(found.status.code(), Some(1));
}

#[test]
fn a_ready_pickle_is_taken_as_it_is() {
    let storage = "python_version = \"3.9\"\npython_dependencies = [\"cloudpickle==3.1.2\"]";
    let project = Project::new(storage, &["path = \"ready.pkl\""]);
    let write = "import cloudpickle\nnote = 'by value'\ndef flow(): print('ready', note)\n\
                 open('ready.pkl', 'wb').write(cloudpickle.dumps(flow))";
    let mut command = std::process::Command::new(python());
    assert!(command.args(["-c", write]).current_dir(project.folder.path()).status().unwrap().success());
    project.build(&["--no-push"]);
    let source = std::fs::read(project.folder.path().join("ready.pkl")).unwrap();
    assert_eq!(inside(&project.reference(), &["cat", "/root/.prefect/ready.prefect"]), source);
    assert_eq!(project.folder.run(&["run", "ready"]).ok().stdout, "ready by value\n");
}

#[test]
fn the_default_base_is_the_python_that_pickled() {
    let project = Project::new("", &["path = \"callables.py\"\nobject = \"greet\""]);
    project.folder.write("callables.py", include_str!("flows/callables.py"));
    let spec = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    let without: String =
        spec.lines().filter(|line| !line.starts_with("base_image")).map(|line| format!("{line}\n")).collect();
    project.folder.write("flowhold.toml", without);
    let dockerfile = project.folder.run(&["preview", "--python", &python()]).ok().stdout;
    assert!(dockerfile.starts_with("FROM python:3.9\n"), "{dockerfile}");
}
