//! Pickled flows: callables and objects with `run()`, which need nothing but cloudpickle.

use std::{fs, path::Path};

use flowhold::{Host, Need, Sources, SpecText};
use flowhold_tests::{Done, environment, settle};
use serde_json::json;

use crate::{
    daemon::{client, inside, send, wait_for},
    interrupt::SIGNALS,
    project::{Project, minor, quoted, unique},
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
    // The object's own name is the flow's; a callable without a name is named after its file.
    assert_eq!(
        report["flows"],
        json!({
            "callables": "/root/.prefect/callables.prefect",
            "Fails, always": "/root/.prefect/fails-always.prefect",
            "monthly report": "/root/.prefect/monthly-report.prefect",
            "hello": "/root/.prefect/hello.prefect",
        })
    );
    assert!(report["storage"].get("prefect_version").is_none());
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
    // Prefect is not installed, since nobody asked for it.
    let found = client(&["run", "--rm", &project.reference(), "python", "-c", "import prefect"]).output().unwrap();
    assert_eq!(found.status.code(), Some(1));
}

#[test]
fn a_ready_pickle_is_taken_as_it_is() {
    let version = minor("FLOWHOLD_TEST_BASE_IMAGE");
    let storage = format!("python_version = {version:?}\npython_dependencies = [\"cloudpickle==3.1.2\"]");
    let project = Project::new(&storage, &["path = \"ready.pkl\"", "path = \"text.pkl\""]);
    // A pickle of protocol 0 looks like a script.
    project.folder.write("text.pkl", "cbuiltins\nprint\n.");
    let write = "import cloudpickle\nnote = 'by value'\ndef flow(): print('ready', note)\n\
                 open('ready.pkl', 'wb').write(cloudpickle.dumps(flow))";
    let mut command = std::process::Command::new(python());
    assert!(command.args(["-c", write]).current_dir(project.folder.path()).status().unwrap().success());
    project.build(&["--no-push"]);
    let source = std::fs::read(project.folder.path().join("ready.pkl")).unwrap();
    assert_eq!(inside(&project.reference(), &["cat", "/root/.prefect/ready.prefect"]), source);
    assert_eq!(project.folder.run(&["run", "ready"]).ok().stdout, "ready by value\n");
    assert_eq!(project.folder.run(&["run", "text"]).ok().stdout, "\n");
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
    let base = format!("FROM python:{}\n", minor("FLOWHOLD_TEST_BASE_IMAGE"));
    assert!(dockerfile.starts_with(&base), "{dockerfile}");
}

/// Python looks into the working directory before our script can watch it.
#[test]
fn a_module_that_appears_beside_a_flow_in_the_working_directory_counts() {
    let (folder, stored) = (flowhold_tests::Folder::new(), flowhold_tests::Folder::new());
    let flow = "try:\n    from local_settings import X\nexcept ImportError:\n    X = 0\n\
                def flow(x=X, made=__import__('os').urandom(16)):\n    print(x)\n";
    let flow = folder.write("etl.py", flow);
    // No pickle is kept of a file that was written just now.
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(flow).unwrap().set_modified(hour_ago).unwrap();
    settle();
    let python = python();
    let add = |directory| {
        let directory = stored.path().join(directory);
        folder.run(&["add", "etl.py:flow", "--directory", directory.to_str().unwrap(), "--python", &python]).ok();
        fs::read(directory.join("etl.prefect")).unwrap()
    };
    let first = add("one");
    assert!(add("two") == first, "it is not kept at all");
    folder.write("local_settings.py", "X = 1\n");
    assert!(add("three") != first);
}

/// Otherwise a program that plans for years would fill the disk.
#[test]
fn a_pickle_goes_with_its_plan() {
    let (folder, mark) = (flowhold_tests::Folder::new(), unique());
    folder.write("flow.py", format!("MARK = '{mark}' * 10000\ndef flow(mark=MARK): pass\n"));
    let text = format!("[storage]\npython = {}\n[[flows]]\npath = \"flow.py\"\nobject = \"flow\"\n", quoted(&python()));
    let spec = SpecText { text, folder: folder.path().to_owned() };
    let kept = || {
        let directories = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        let pickles = directories.filter_map(|directory| fs::read(directory.path().join("0.pickle")).ok());
        pickles.filter(|pickle| String::from_utf8_lossy(pickle).contains(&mark)).count()
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let host = Host::builder().sources(Sources::All).build().unwrap();
        let mut session = host.session().await.unwrap();
        for _ in 0..2 {
            let plan = session.plan(&spec, None, Need::Build).await.unwrap();
            assert_eq!((session.need_plan(plan).await.is_ok(), kept()), (true, 1));
            session.forget(plan).await.unwrap();
            assert_eq!(kept(), 0);
        }
    });
}

#[test]
fn an_interrupted_pickling_leaves_no_python() {
    let python = python();
    let project = Project::new(&format!("python = {}", quoted(&python)), &["path = \"flow.py\"\nobject = \"flow\""]);
    project.folder.write(
        "flow.py",
        "import os, time\nwith open('began', 'w') as file:\n    file.write(str(os.getpid()))\n\
         os.rename('began', 'python')\ntime.sleep(3600)\n",
    );
    let began = project.folder.path().join("python");
    for command in [
        &["build"][..],
        &["preview"],
        &["check"],
        &["pull"],
        &["dockerfile", "context"],
        &["serialize", "flowhold.toml"],
        &["add", "flow.py:flow", "--directory", "d", "--python", &python],
    ] {
        for signal in SIGNALS {
            let mut child = project.watched(command).spawn().unwrap();
            let began_or_ended = || {
                let ended = child.try_wait().unwrap().is_some();
                fs::read_to_string(&began).map(Some).ok().or(ended.then_some(None))
            };
            let process = wait_for("Python executes the flow's file", began_or_ended);
            let Some(process) = process else { panic!("{command:?}: {:?}", child.wait_with_output()) };
            send(signal, child.id());
            wait_for("it ends", || child.try_wait().unwrap());
            Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted while reading the spec"]);
            // A process that has ended has no command line any more, even before its parent has waited for it.
            let command_line = || fs::read(Path::new("/proc").join(&process).join("cmdline")).unwrap_or_default();
            wait_for("Python has ended", || command_line().is_empty().then_some(()));
            project.has_no_temporary_files();
            fs::remove_file(&began).unwrap();
        }
    }
}
