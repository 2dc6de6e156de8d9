//! Storages as JSON: JSON that Prefect 0.6.6 wrote loads and is written equal, and unknown fields survive.

use std::{
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flowhold_tests::{Done, Folder};
use serde_json::{Value, json};

/// Storages that the original's `serialize()` wrote, by file name.
pub(crate) fn vectors() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/storage-json");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 5, "{paths:?}");
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
    };
    paths.iter().map(read).collect()
}

#[test]
fn the_originals_json_comes_out_equal() {
    for (name, value) in vectors() {
        let folder = Folder::new();
        folder.write("storage.json", value.to_string());
        assert_eq!(folder.json(&["serialize", "storage.json"]), value, "{name}");
        // The storage has the names that its JSON says.
        let listed = folder.json(&["ls", "--storage", "storage.json", "--format", "json"]);
        let names =
            |value: &Value| value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&listed["flows"]), names(&value["flows"]), "{name}");
        for flow in names(&value["flows"]) {
            assert_eq!(folder.run(&["contains", &flow, "--storage", "storage.json"]).ok().stdout, "true\n");
        }
    }
}

#[test]
fn unknown_fields_survive() {
    for (name, mut value) in vectors() {
        value["later"] = json!({ "nested": [1, null, 2.5, "é", { "deep": true }], "big": 18446744073709551615_u64 });
        value["other field"] = json!(null);
        // Known fields, which Flowhold itself leaves out if they are empty.
        value["platform"] = json!(null);
        value["secrets"] = json!([]);
        let folder = Folder::new();
        folder.write("storage.json", value.to_string());
        folder.run(&["serialize", "storage.json", "-o", "again.json"]).ok();
        assert_eq!(folder.json(&["serialize", "again.json"]), value, "{name}");
    }
}

/// The original checks nothing when it loads a storage, and runs all of these.
#[test]
fn what_the_original_takes_loads_and_stays_as_it_is() {
    let folder = Folder::new();
    let docker = |more: Value| {
        let mut value = json!({ "type": "Docker", "__version__": "0.6.6", "registry_url": null, "image_name": "etl",
            "image_tag": "v1", "flows": { "etl": "/root/.prefect/etl.prefect" }, "prefect_version": "0.6.6" });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    let odd = ["🚀", "..", "a\nb", "\0", "&amp;", &"x".repeat(300)];
    let locations: serde_json::Map<_, _> = odd.iter().map(|name| ((*name).to_owned(), json!("/f.prefect"))).collect();
    let payloads: serde_json::Map<_, _> = odd.iter().map(|name| ((*name).to_owned(), json!("gAVOLg=="))).collect();
    let mut all = vec![
        json!({ "type": "Local", "__version__": "0.6.6", "directory": "/srv/flows", "flows": locations }),
        json!({ "type": "Bytes", "__version__": "0.6.6", "flows": payloads }),
    ];
    all.extend(
        [
            json!({ "flows": locations }),
            json!({ "registry_url": "", "image_name": "", "image_tag": "" }),
            json!({ "registry_url": "localhost:5000/acme/" }),
            json!({ "registry_url": "https://gcr.io/p" }),
            json!({ "image_name": "localhost:5000/acme/etl" }),
            json!({ "image_name": "gcr.io/p/etl" }),
            json!({ "image_name": "My-Flow", "image_tag": "a b" }),
            json!({ "prefect_version": "HEAD~1" }),
            json!({ "prefect_version": "v0.6.6" }),
            json!({ "prefect_version": "0.6.6+75.g1234" }),
        ]
        .map(docker),
    );
    for value in all {
        folder.write("storage.json", value.to_string());
        assert_eq!(folder.json(&["serialize", "storage.json"]), value);
        folder.run(&["serialize", "storage.json", "--to", "snapshot", "-o", "snapshot"]).ok();
        assert_eq!(folder.json(&["serialize", "snapshot"]), value);
        let listed = folder.json(&["ls", "--storage", "storage.json", "--format", "json"]);
        for name in value["flows"].as_object().unwrap().keys().filter(|name| !name.contains('\0')) {
            assert!(listed["flows"][name].is_string(), "{name:?} {listed}");
            folder.run(&["contains", name, "--storage", "storage.json"]).ok();
        }
    }
    // A command that needs an unusable field says so.
    for (more, words) in [
        (json!({ "registry_url": "https://gcr.io/p" }), "starts with \"https://\""),
        (json!({ "image_name": "My-Flow" }), "upper-case"),
        (json!({ "image_name": "" }), "no image name"),
    ] {
        folder.write("storage.json", docker(more).to_string());
        folder.run(&["run", "etl", "--storage", "storage.json"]).fails(1, &[words, "help:"]);
    }
    // A value that only causes a warning can be used: only the daemon is missing.
    folder.write("storage.json", docker(json!({ "registry_url": "gcr.io/pypi-production-images" })).to_string());
    let mut push = folder.command(&["push", "--storage", "storage.json"]);
    let done = Done::of(push.env("DOCKER_HOST", "unix:///none").output().unwrap());
    assert!(done.code == 69 && done.stderr.contains("no docker daemon") && !done.stderr.contains("secret"), "{done:?}");
    // A value of another type than text is damage.
    folder.write("storage.json", docker(json!({ "image_name": 5 })).to_string());
    folder.run(&["ls", "--storage", "storage.json"]).fails(1, &["image_name must be a string"]);
}

/// The original's schema refuses null as Prefect's version, and takes a storage without the field.
#[test]
fn an_unknown_prefect_is_not_written() {
    let folder = Folder::with_spec("[storage]\ntype = \"docker\"\n[[flows]]\npath = \"a.py\"\n");
    folder.write("a.py", "x");
    let storage = folder.json(&["serialize", "flowhold.toml"]);
    let keys: Vec<_> = storage.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys[..5], ["type", "__version__", "registry_url", "image_name", "image_tag"]);
    assert!(!keys.contains(&"prefect_version"), "{storage}");
}

/// A mistyped `-o` overwrites neither a flow nor a spec.
#[test]
fn only_a_storage_takes_the_place_of_something() {
    let folder = Folder::with_spec("[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"a.py\"\n");
    folder.write("a.py", "mine");
    folder.write("list.json", "[1]");
    folder.write("package.json", r#"{"name": "x", "type": "module"}"#);
    let spec = std::fs::read_to_string(folder.path().join("flowhold.toml")).unwrap();
    for taken in ["a.py", "flowhold.toml", "list.json", "package.json"] {
        for command in [["build", "-o", taken].as_slice(), &["serialize", "flowhold.toml", "-o", taken]] {
            folder.run(command).fails(1, &[taken, "is not a storage", "-o"]);
        }
    }
    folder.run(&["component", "-o", "a.py"]).fails(1, &["a.py", "WebAssembly"]);
    // An output that can't be written is also refused before anything is built.
    let done = folder.run(&["build", "-o", "nowhere/storage.json"]).fails(1, &["nowhere: no such file"]);
    assert_eq!(done.stdout, "");
    assert_eq!(std::fs::read_to_string(folder.path().join("a.py")).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(folder.path().join("flowhold.toml")).unwrap(), spec);
    folder.write("empty", "");
    for storage in ["new", "new", "empty"] {
        folder.run(&["build", "-o", storage]).ok();
        folder.run(&["serialize", storage, "--to", "snapshot", "-o", storage]).ok();
        folder.run(&["serialize", storage, "--format", "json", "-o", storage]).ok();
        assert_eq!(folder.json(&["serialize", storage])["type"], "Bytes");
    }
}

/// A storage may have fields with the names of a spec's tables, for reasons of its own.
#[test]
fn a_storage_is_told_by_its_type() {
    let folder = Folder::new();
    for more in [json!({ "storage": 1 }), json!({ "flows": [1] })] {
        let mut value = json!({ "type": "Memory", "__version__": "0.6.6" });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        folder.write("storage.json", value.to_string());
        assert_eq!(folder.json(&["serialize", "storage.json"]), value);
    }
}

#[test]
fn a_storage_is_no_spec_and_a_spec_is_no_storage() {
    let folder = Folder::with_spec("[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"a.py\"\n");
    folder.write("a.py", "x");
    folder.run(&["build", "--progress", "none"]).ok();
    let preview = folder.run(&["preview", "--format", "json"]).ok().stdout;
    folder.write("preview.json", preview);
    folder.run(&["serialize", "storage.json", "--to", "snapshot", "-o", "storage.bin"]).ok();
    for (file, what) in [
        ("storage.json", "a serialized storage"),
        ("preview.json", "a preview"),
        ("storage.bin", "a snapshot of a storage"),
    ] {
        let told = folder.run(&["check", "-f", file]).fails(1, &[file, what, "not a spec"]);
        assert_eq!(told.stderr.matches("error").count(), 1, "{told:#?}");
    }
    folder.run(&["run", "a", "--storage", "flowhold.toml"]).fails(1, &["flowhold.toml is a spec", "flowhold build"]);
}

#[test]
fn what_is_wrong_with_a_spec_is_told_once() {
    let folder = Folder::with_spec("[storage\n");
    let told = folder.run(&["serialize", "flowhold.toml"]).fails(1, &["not TOML"]).stderr.clone();
    assert!(told.matches("error").count() == 1 && !told.contains("()"), "{told}");
}

#[test]
fn what_is_written_to_stays_what_it_is() {
    let folder = Folder::new();
    folder.write("storage.json", vectors()[0].1.to_string());
    let expected = folder.run(&["serialize", "storage.json"]).ok().stdout;
    let at = |name: &str| folder.path().join(name);
    let written_to = |name: &str| folder.run(&["serialize", "storage.json", "-o", name]).ok();
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;

    folder.write("shared/storage.json", vectors()[1].1.to_string());
    symlink("shared/storage.json", at("link.json")).unwrap();
    written_to("link.json");
    assert_eq!(std::fs::read_link(at("link.json")).unwrap(), Path::new("shared/storage.json"));
    assert_eq!(std::fs::read_to_string(at("shared/storage.json")).unwrap(), expected);

    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let reader = Command::new("cat").arg(at("pipe")).stdout(Stdio::piped()).spawn().unwrap();
    written_to("pipe");
    assert_eq!(String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap(), expected);
    assert!(std::fs::metadata(at("pipe")).unwrap().file_type().is_fifo());

    assert_eq!(written_to("-").stdout, expected);

    // An open stream is not replaced; a file is, wherever it lies.
    for output in ["/dev/stdout", "log"] {
        let command = format!("echo before > log && \"$FLOWHOLD_BIN\" serialize storage.json -o {output} >> log");
        assert!(Command::new("sh").args(["-c", &command]).current_dir(folder.path()).status().unwrap().success());
        assert_eq!(std::fs::read_to_string(at("log")).unwrap(), format!("before\n{expected}"));
    }
    let in_memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = in_memory.path().join("storage.json");
    for _ in 0..2 {
        written_to(file.to_str().unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    }

    // The user says who may read the file.
    let command = "umask 027 && exec \"$FLOWHOLD_BIN\" serialize storage.json -o new.json";
    assert!(Command::new("sh").args(["-c", command]).current_dir(folder.path()).status().unwrap().success());
    assert_eq!(mode("new.json"), 0o640);
    std::fs::set_permissions(at("new.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    written_to("new.json");
    assert_eq!((std::fs::read_to_string(at("new.json")).unwrap(), mode("new.json")), (expected, 0o600));
}

#[test]
fn the_originals_flow_is_its_bytes() {
    let (_, value) = vectors().into_iter().find(|(name, _)| name == "bytes-one-flow.json").unwrap();
    let folder = Folder::new();
    folder.write("storage.json", value.to_string());
    folder.run(&["get", "etl", "--storage", "storage.json", "-o", "etl.pkl"]).ok();
    // Decoded by another base64 than Flowhold's.
    let script = "import base64, json, sys\nsys.exit(base64.b64decode(json.load(open('storage.json'))['flows']['etl']) != open('etl.pkl', 'rb').read())\n";
    let python =
        std::process::Command::new("python3").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert!(python.status.success(), "{python:?}");
}

#[test]
fn what_is_no_storage() {
    let cases = [
        ("{", "not JSON"),
        ("[]", "must be a table, not an array"),
        ("\"x\"", "must be a table, not a string"),
        ("{}", "type"),
        (r#"{"type": 1}"#, "type must be a string, not a number"),
        (r#"{"type": "Nope"}"#, "\"Nope\""),
        (r#"{"type": "Docker", "flows": 1}"#, "flows must be a table"),
        (r#"{"type": "Docker", "flows": {"a": 1}}"#, "flows.a must be a string"),
        (r#"{"type": "Docker", "flows": {"": "/x"}}"#, "name is empty"),
        (r#"{"type": "Docker", "flows": {"a": "/x", "a": "/y"}}"#, "flows.a appears twice"),
        (r#"{"type": "Docker", "base_image": "https://x"}"#, "https://"),
        (r#"{"type": "Local", "directory": 1}"#, "directory must be a string"),
        (r#"{"type": "Bytes", "flows": {"a": "%%%"}}"#, "flows.a is not base64"),
    ];
    for (text, words) in cases {
        let folder = Folder::new();
        folder.write("storage.json", text);
        for command in [&["serialize", "storage.json"] as &[_], &["ls", "--storage", "storage.json"]] {
            let done = folder.run(command).fails(1, &[words, "help:"]);
            assert_eq!(done.stdout, "", "{text}");
            assert!(!done.stderr.contains(":  "), "a message with a gap: {done:#?}");
        }
    }
}

/// Daemons get the user's credentials for registries, and a storage file may be anybody's.
#[test]
fn a_storage_file_chooses_no_daemon_of_another_machine() {
    let folder = Folder::new();
    let store = |address: &str| {
        let storage = json!({
            "type": "Docker", "image_name": "etl", "image_tag": "v1", "registry_url": "localhost:1",
            "flows": { "etl": "/root/.prefect/etl.prefect" }, "prefect_version": "0.6.6", "base_url": address,
        });
        folder.write("storage.json", storage.to_string());
    };
    let commands = [["run", "etl"].as_slice(), &["get", "etl"], &["push"]];
    for address in ["tcp://flowhold.invalid:2375", "https://localhost.flowhold.invalid", "http://[2001:db8::1]:2375"] {
        store(address);
        for command in commands {
            let help = format!("DOCKER_HOST={address}");
            folder.run(&[command, &["--storage", "storage.json"]].concat()).fails(1, &["storage.json", &help]);
        }
        assert_eq!(folder.run(&["ls", "--storage", "storage.json"]).ok().stdout, "etl  /root/.prefect/etl.prefect\n");
    }
    let (own, local) =
        ("tcp://flowhold.invalid:2375", ["tcp://localhost:1", "http://127.0.0.2:1", "tcp://[::1]:1", "unix:///none"]);
    for (host, address) in local.map(|address| (None, address)).into_iter().chain([(Some(own), own)]) {
        store(address);
        for command in commands {
            let mut command = folder.command(&[command, &["--storage", "storage.json"]].concat());
            host.map(|host| command.env("DOCKER_HOST", host));
            Done::of(command.output().unwrap()).fails(69, &["no docker daemon at"]);
        }
    }
}
