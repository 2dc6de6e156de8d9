//! The original, Prefect 0.6.6: its flows run in our images, and each reads the other's files.

use std::process::Command;

use flowhold_tests::{Done, Folder, environment};
use serde_json::{Value, json};

use crate::{
    daemon::text_inside,
    project::{Project, quoted},
};

const FLOWS: &str = include_str!("flows/original.py");

fn python() -> String {
    environment("FLOWHOLD_TEST_PREFECT_PYTHON")
}

/// Runs a function of original.py.
fn original(folder: &Folder, arguments: &[&str]) -> Done {
    let mut command = Command::new(python());
    command.args(["-W", "ignore", "-c", include_str!("original.py")]).args(arguments);
    Done::of(command.current_dir(folder.path()).env("HOME", folder.path()).output().unwrap())
}

#[test]
fn its_flows_run_in_our_image() {
    let project = Project::new(
        "python_dependencies = [\"urllib3<2\", \"requests<2.32\"]",
        &["path = \"flows.py\"\nobject = \"etl\"", "path = \"flows.py\"\nobject = \"broken\""],
    );
    project.folder.write("flows.py", FLOWS);
    let report = project.build(&["--python", &python()]);
    assert_eq!(
        report["flows"],
        json!({ "ETL: daily": "/root/.prefect/etl-daily.prefect", "broken": "/root/.prefect/broken.prefect" })
    );
    assert_eq!(report["storage"]["prefect_version"], "0.6.6");
    let version = "import importlib.metadata as m; print(m.version('prefect'), m.version('cloudpickle'))";
    assert_eq!(text_inside(&project.reference(), &["python", "-c", version]), "0.6.6 1.2.2\n");
    // When the health check loads the flows, dask writes its settings: these must not get into the image.
    let left = "import os; print([path for path in ('/root/.config', '/root/.cache') if os.path.exists(path)])";
    assert_eq!(text_inside(&project.reference(), &["python", "-c", left]), "[]\n");
    let run = project.folder.run(&["run", "ETL: daily"]).ok();
    assert!(run.stdout.contains("the sum is 2\n"), "{run:#?}");
    let run = project.folder.run(&["run", "broken"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!((run.stdout + &run.stderr).contains("ZeroDivisionError"));

    // Pickled again, the flows have the same bytes, so the plan is the same.
    let again = project.build(&["--no-push", "--python", &python()]);
    assert_eq!(report["plan"], again["plan"]);
}

#[test]
fn its_flows_pickle_to_the_same_bytes_every_time() {
    let specs = [(); 2].map(|()| {
        let flows = ["etl", "broken"].map(|object| format!("[[flows]]\npath = \"flows.py\"\nobject = \"{object}\"\n"));
        let folder = Folder::with_spec(&format!("[storage]\ntype = \"docker\"\n{}", flows.join("")));
        folder.write("flows.py", FLOWS);
        folder
    });
    let plan = |folder: &Folder| folder.json(&["preview", "--format", "json", "--python", &python()])["plan"].take();
    let first = plan(&specs[0]);
    assert!(first.is_string());
    assert_eq!((plan(&specs[0]), plan(&specs[1])), (first.clone(), first.clone()));
    specs[1].write("flows.py", FLOWS.replace("return 1\n", "return 2\n"));
    assert_ne!(plan(&specs[1]), first);
}

#[test]
fn it_runs_flows_of_our_local_directory() {
    let folder = Folder::new();
    folder.write("flows.py", FLOWS);
    let add = |object: &str| {
        let flow = format!("flows.py:{object}");
        folder.json(&["add", &flow, "--directory", "stored", "--python", &python(), "--format", "json"])
    };
    for (object, name, end) in [("etl", "ETL: daily", "Success"), ("broken", "broken", "Failed")] {
        let added = add(object);
        assert_eq!(added["name"], name);
        let location = added["location"].as_str().unwrap();
        let run = original(&folder, &["run_local", "stored", name, location]).ok();
        assert_eq!(run.stdout.lines().last(), Some(end), "{run:#?}");
    }
}

#[test]
fn it_loads_what_we_serialize() {
    let flow = "[[flows]]\npath = \"flows.py\"\nobject = \"etl\"\n";
    let docker = "registry_url = \"localhost:5000/acme\"\nimage_name = \"etl\"\nimage_tag = \"v1\"\n\
                  base_image = \"python:3.9\"\nenv_vars = { A = \"b\" }\npython_dependencies = [\"six\"]\n";
    for (storage, expected) in [
        (
            format!("type = \"docker\"\n{docker}"),
            json!({
                "type": "Docker", "registry_url": "localhost:5000/acme", "image_name": "etl", "image_tag": "v1",
                "prefect_version": "0.6.6", "flows": { "ETL: daily": "/root/.prefect/etl-daily.prefect" },
            }),
        ),
        (
            "type = \"local\"\ndirectory = \"/srv/flows\"\n".to_owned(),
            json!({ "type": "Local", "directory": "/srv/flows", "flows": {} }),
        ),
        ("type = \"bytes\"\n".to_owned(), json!({ "type": "Bytes", "flows": { "ETL: daily": "ETL: daily" } })),
        ("type = \"memory\"\n".to_owned(), json!({ "type": "Memory" })),
    ] {
        // Serializing a local storage would store its flows: another test does that.
        let flows = if expected["type"] == "Local" { "" } else { flow };
        let folder = Folder::with_spec(&format!("[storage]\n{storage}\n{flows}"));
        folder.write("flows.py", FLOWS);
        let serialized = folder.run(&["serialize", "flowhold.toml", "--python", &python()]).ok();
        folder.write("ours.json", &serialized.stdout);
        let loaded = original(&folder, &["load", "ours.json"]).ok().json();
        assert_eq!(loaded, expected, "{storage}");
    }
}

#[test]
fn it_loads_a_local_storage_with_flows() {
    let folder = Folder::new();
    let stored = folder.path().join("stored");
    let stored = stored.to_str().unwrap();
    folder.write("flows.py", FLOWS);
    let spec = format!("[storage]\ndirectory = {}\n[[flows]]\npath = \"flows.py\"\nobject = \"etl\"\n", quoted(stored));
    folder.write("flowhold.toml", spec);
    let report = folder.json(&["build", "--format", "json", "--python", &python()]);
    let loaded = original(&folder, &["load", "storage.json"]).ok().json();
    assert_eq!(loaded["directory"], stored);
    assert_eq!(loaded["flows"], report["flows"]);
    assert_eq!(loaded["flows"], json!({ "ETL: daily": format!("{stored}/etl-daily.prefect") }));
}

#[test]
fn we_load_what_it_serializes() {
    for kind in ["docker", "bare", "local", "bytes", "memory"] {
        let folder = Folder::new();
        let directory = folder.path().join("its flows");
        let its = original(&folder, &["write", kind, directory.to_str().unwrap()]).ok().stdout;
        folder.write("its.json", &its);
        let its: Value = serde_json::from_str(&its).unwrap();
        assert_eq!(its["__version__"], "0.6.6");
        assert_eq!(folder.json(&["serialize", "its.json"]), its, "{kind}");
        folder.run(&["serialize", "its.json", "--to", "snapshot", "-o", "its.bin"]).ok();
        assert_eq!(folder.json(&["serialize", "its.bin"]), its, "{kind}");
        // The flows are listed by the names and locations that Prefect gave them.
        let locations = folder.json(&["ls", "--storage", "its.json", "--format", "json"])["flows"].take();
        match kind {
            "memory" => assert_eq!(locations, json!({})),
            "bytes" => assert_eq!(locations, json!({ "ETL: daily": "ETL: daily", "ünï": "ünï" })),
            _ => assert_eq!(locations, its["flows"], "{kind}"),
        }
    }
}
