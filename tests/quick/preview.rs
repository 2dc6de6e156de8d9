//! `preview` in its four formats, and the resolved spec as a spec again.

use std::{fs, io::Write, os::unix::fs::PermissionsExt as _, process::Stdio};

use flowhold_tests::{Done, Folder};
use serde_json::{Value, json};

const SPEC: &str = r#"
[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
python_dependencies = ["pandas>=2,<3"]
image_name = "etl"
image_tag = "v1"
env_vars = { MODE = "prod" }

[storage.files]
"@/data" = "/opt/data/"
"@/it's.bin" = "/opt/models/"

[[flows]]
path = "flows/etl.py"

[[flows]]
path = "nightly.py"
name = "Nightly Report"
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("flows/etl.py", "print('etl')\n");
    folder.write("nightly.py", "x");
    folder.write("data/sub/a b.txt", "x");
    folder.write("it's.bin", "x");
    folder.write("flowhold.toml", SPEC.replace('@', folder.path().to_str().unwrap()));
    folder
}

fn with_stdin(folder: &Folder, arguments: &[&str], input: &str) -> Done {
    let mut command = folder.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Done::of(child.wait_with_output().unwrap())
}

#[test]
fn the_formats_show_one_plan() {
    let folder = folder();
    let json = folder.json(&["preview", "--format", "json"]);
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["plan", "image", "dockerfile", "source_map", "steps", "context", "flows", "diagnostics"]);
    assert_eq!(folder.run(&["preview"]).ok().stdout, json["dockerfile"].as_str().unwrap());
    assert_eq!(
        json["image"],
        json!({ "registry": "localhost:5000/acme", "name": "etl", "tag": "v1", "reference": "localhost:5000/acme/etl:v1" })
    );
    let locations =
        json!({ "etl": "/root/.prefect/etl.prefect", "Nightly Report": "/root/.prefect/nightly-report.prefect" });
    assert_eq!(json["flows"], locations);
    assert_eq!(json["diagnostics"], json!([]));
    let listed = folder.run(&["preview", "--format", "context"]).ok().stdout;
    let listed: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let context = json["context"].as_array().unwrap();
    assert_eq!(listed.len(), context.len());
    for (line, entry) in listed.iter().zip(context) {
        assert_eq!(u64::from_str_radix(line[0], 8).unwrap(), entry["mode"], "{line:?}");
        assert_eq!(line[1].parse::<u64>().unwrap(), entry["size"], "{line:?}");
        let digest = entry["sha256"].as_str().unwrap_or_default();
        assert_eq!(line[2], if digest.is_empty() { "-".repeat(64) } else { digest.to_owned() });
        assert_eq!(line[3..].join(" "), entry["path"].as_str().unwrap());
    }
    // `printf x | sha256sum`
    let x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let of_x: Vec<_> = context.iter().filter(|entry| entry["sha256"] == x).map(|entry| &entry["path"]).collect();
    assert_eq!(of_x, ["files/0-data/sub/a b.txt", "files/1-it_s.bin", "flows/nightly-report.prefect"]);
}

#[test]
fn a_file_for_a_directory_keeps_its_name() {
    let dockerfile = folder().run(&["preview"]).ok().stdout;
    assert!(dockerfile.contains(r#"COPY ["files/0-data/", "/opt/data/"]"#), "{dockerfile}");
    assert!(dockerfile.contains(r#"COPY ["files/1-it_s.bin", "/opt/models/it\\'s.bin"]"#), "{dockerfile}");
}

#[test]
fn every_line_of_the_dockerfile_names_a_field() {
    let json = folder().json(&["preview", "--format", "json"]);
    let lines = json["dockerfile"].as_str().unwrap().lines().count();
    let mut named: Vec<_> =
        json["source_map"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect();
    named.dedup();
    assert_eq!(named, (1..=lines as u64).collect::<Vec<_>>());
}

#[test]
fn bytecode_is_in_no_plan() {
    let folder = Folder::with_spec("");
    let source = folder.path().join("lib");
    let files = format!("[storage]\ntype = \"docker\"\nfiles = {{ {:?} = \"/opt/lib\" }}\n", source.to_str().unwrap());
    folder.write("flowhold.toml", files);
    folder.write("lib/deep/a.py", "");
    let paths = |plan: &Value| {
        let context = plan["context"].as_array().unwrap().iter();
        context.map(|entry| entry["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = folder.json(&["preview", "--format", "json"]);
    folder.write("lib/deep/__pycache__/a.cpython-39.pyc", "x");
    folder.write("lib/__pycache__/b.cpython-39.pyc", "x");
    let after = folder.json(&["preview", "--format", "json"]);
    assert_eq!((&after["plan"], paths(&after)), (&before["plan"], paths(&before)));
    assert!(paths(&after).iter().any(|path| path.ends_with("deep/a.py")), "{after:#}");
}

#[test]
fn the_resolved_spec_is_the_same_plan_with_its_files_gone() {
    let folder = folder();
    let plan = folder.json(&["preview", "--format", "json"])["plan"].clone();
    assert!(plan.as_str().unwrap().starts_with("sha256:"));
    let resolved = folder.run(&["preview", "--format", "spec"]).ok().stdout;
    for name in ["flows", "data"] {
        fs::remove_dir_all(folder.path().join(name)).unwrap();
    }
    for name in ["nightly.py", "it's.bin", "flowhold.toml"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let from_stdin = with_stdin(&folder, &["preview", "--format", "json", "-f", "-"], &resolved).ok().json();
    assert_eq!(from_stdin["plan"], plan);
    folder.write("resolved.json", &resolved);
    let again = folder.run(&["preview", "--format", "spec", "-f", "resolved.json"]).ok().stdout;
    assert_eq!(again, resolved);
    // A spec that only describes bytes can't be built.
    folder.run(&["dockerfile", "out", "-f", "resolved.json"]).fails(1, &["help:"]);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn the_plan_is_of_the_image_and_not_of_its_name() {
    let folder = folder();
    let spec = fs::read_to_string(folder.path().join("flowhold.toml")).unwrap();
    let plan =
        |spec: &str| with_stdin(&folder, &["preview", "--format", "json", "-f", "-"], spec).ok().json()["plan"].clone();
    let first = plan(&spec);
    assert_eq!(plan(&spec.replace("\"v1\"", "\"v2\"").replace("localhost:5000", "localhost:5001")), first);
    assert_ne!(plan(&spec.replace("\"prod\"", "\"test\"")), first);
    // The image decides the mode of the copied directory itself; what is in the directory keeps the source's modes.
    let data = folder.path().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(plan(&spec), first);
    fs::set_permissions(data.join("sub"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_ne!(plan(&spec), first);
    let first = plan(&spec);
    folder.write("nightly.py", "y");
    assert_ne!(plan(&spec), first);
}

/// The entries that a spec states for a directory may be in any order.
#[test]
fn entries_have_one_order() {
    let entry = |path: &str| format!("{{ path = {path:?}, size = 1, sha256 = {:?} }}", "1".repeat(64));
    let plan = |entries: &[String]| {
        let file = format!("{{ destination = \"/x\", entries = [{}] }}", entries.join(", "));
        let folder = Folder::with_spec(&format!("[storage]\ntype = \"docker\"\nfiles = {{ \"/srv/x\" = {file} }}\n"));
        folder.json(&["preview", "--format", "json"])["plan"].clone()
    };
    let root = "{ mode = 493 }".to_owned();
    let one = plan(&[root.clone(), entry("a"), entry("b")]);
    assert!(one.is_string());
    assert_eq!(plan(&[entry("b"), root, entry("a")]), one);
}

/// Maps have no order: neither Dockerfile nor context depends on the order in which a spec was written.
#[test]
fn keys_have_one_order() {
    let folder = Folder::new();
    folder.write("a", "1");
    folder.write("b", "2");
    let file = |name: &str| format!("\"{}/{name}\" = \"/opt/{name}\"", folder.path().display());
    let preview = |variables: &str, args: &str, files: [&str; 2]| {
        let [one, other] = files.map(file);
        let spec = format!(
            "[storage]\ntype = \"docker\"\nbuild_args = {{ {args} }}\nenv_vars = {{ {variables} }}\nfiles = {{ {one}, {other} }}\n"
        );
        let json = with_stdin(&folder, &["preview", "--format", "json", "-f", "-"], &spec).ok().json();
        assert!(json["plan"].is_string(), "{json}");
        ["plan", "dockerfile", "context", "source_map"].map(|key| json[key].clone())
    };
    let one =
        preview("A = \"1\", PIP_B = \"2\", PIP_A = \"3\", B = \"4\"", "NO_PROXY = \"\", no_proxy = \"\"", ["a", "b"]);
    let other =
        preview("B = \"4\", PIP_A = \"3\", PIP_B = \"2\", A = \"1\"", "no_proxy = \"\", NO_PROXY = \"\"", ["b", "a"]);
    assert_eq!(one, other);
    let fields: Vec<_> = one[3].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    let variables = ["PIP_A", "PIP_B", "A", "B"].map(|name| format!("storage.env_vars.{name}"));
    assert_eq!(fields[1..5], variables, "{fields:?}");
}

#[test]
fn a_build_argument_that_nothing_reads_is_told() {
    let spec = |name: &str| format!("[storage]\ntype = \"docker\"\nbuild_args = {{ {name} = \"1\" }}\n");
    for read in ["HTTPS_PROXY", "all_proxy", "FTP_PROXY", "BUILDKIT_CONTEXT_KEEP_GIT_DIR", "SOURCE_DATE_EPOCH"] {
        let done = Folder::with_spec(&spec(read)).run(&["check"]).ok();
        assert!(!done.stderr.contains("unused-build-arg"), "{read}: {done:?}");
    }
    for unread in ["PIP_INDEX_URL", "Http_Proxy", "A"] {
        let done = Folder::with_spec(&spec(unread)).run(&["check"]).ok();
        for words in ["warning[unused-build-arg]", &format!("storage.build_args.{unread}"), "env_vars"] {
            assert!(done.stderr.contains(words), "{unread}: {done:?}");
        }
    }
}

#[test]
fn a_secret_that_the_installer_makes_no_use_of_is_told() {
    let check = |id: &str, needed: &str| {
        let secrets = format!("secrets = [{{ id = {id:?}, env = \"A\" }}]");
        let spec = format!("[storage]\ntype = \"docker\"\npython_dependencies = [{needed}]\n{secrets}\n");
        Folder::with_spec(&spec).run(&["check"]).ok().stderr
    };
    for read in ["netrc", "PIP_INDEX_URL", "_A1"] {
        assert!(!check(read, "\"six\"").contains("unread-secret"), "{read}");
        assert!(check(read, "").contains("nothing is installed"), "{read}");
    }
    for unread in ["token", "1A", "Pip_Index", "NETRC.old"] {
        let told = check(unread, "\"six\"");
        let words = format!("files in /dev/shm/flowhold-secrets: {unread}");
        assert!(
            told.contains("unread-secret")
                && told.contains(&words)
                && told.contains("help: secrets are for installing"),
            "{told}"
        );
    }
}

/// A pickle of protocol 2 or later begins with a byte that begins no text. A file with an extension of pickles is a
/// pickle whatever it begins with: pickles of older protocols begin with a letter.
#[test]
fn a_flow_of_which_nobody_says_what_it_is_is_looked_at() {
    for (path, content, format) in [
        ("nightly", "print()\n".as_bytes(), "script"),
        ("nightly", b"", "script"),
        ("nightly", b"\x80\x04N.", "pickle"),
        ("etl.v2", b"#!/usr/bin/env python3\n", "script"),
        ("old.pkl", b"I1\n.", "pickle"),
        ("a.py", b"\x80\x04N.", "script"),
    ] {
        for (storage, stated) in [("memory", ""), ("memory", "format = \"pickle\"\n"), ("docker", "")] {
            if path == "a.py" && !stated.is_empty() {
                continue;
            }
            let spec = format!("[storage]\ntype = {storage:?}\n[[flows]]\npath = {path:?}\n{stated}");
            let folder = Folder::with_spec(&spec);
            folder.write(path, content);
            let resolved = folder.json(&["preview", "--format", "spec"]);
            let expected = if stated.is_empty() { format } else { "pickle" };
            assert_eq!(resolved["flows"][0]["format"], expected, "{spec}");
        }
    }
}

/// The name is as long as a slug may be, whatever comes before it in the reference.
#[test]
fn a_plan_names_its_image_after_its_only_flow() {
    let name = "a".repeat(240);
    let spec = |registry: &str| {
        format!(
            "[storage]\ntype = \"docker\"\nnaming = \"plan\"\n{registry}[[flows]]\npath = \"a.py\"\nname = {name:?}\n"
        )
    };
    let folder = Folder::with_spec(&spec("registry_url = \"r.io\"\n"));
    folder.write("a.py", "x");
    assert_eq!(folder.json(&["preview", "--format", "json"])["image"]["name"], name);
    // On Docker Hub the name is too long, which is an error.
    folder.write("flowhold.toml", spec(""));
    folder.run(&["check"]).fails(1, &["the maximum is 255"]);
}

#[test]
fn a_source_that_changed_since_it_was_resolved() {
    let folder = folder();
    let resolved = folder.run(&["preview", "--format", "spec"]).ok().stdout;
    folder.write("resolved.json", &resolved);
    folder.run(&["dockerfile", "same", "-f", "resolved.json"]).ok();
    folder.write("nightly.py", "changed");
    folder.run(&["dockerfile", "other", "-f", "resolved.json"]).fails(1, &["source-changed", "flows[1]"]);
    assert!(!folder.path().join("other").exists());
}

#[test]
fn other_storages_have_no_dockerfile() {
    for kind in ["local", "memory", "bytes"] {
        let folder = Folder::with_spec(&format!("[storage]\ntype = \"{kind}\"\n[[flows]]\npath = \"a.py\"\n"));
        folder.write("a.py", "x");
        let done = folder.run(&["preview"]).ok();
        assert_eq!(done.stdout, "");
        assert!(done.stderr.contains("no Dockerfile"), "{done:#?}");
        assert_eq!(folder.run(&["preview", "--format", "context"]).ok().stdout, "");
        let json = folder.json(&["preview", "--format", "json"]);
        assert_eq!((&json["image"], &json["dockerfile"]), (&Value::Null, &Value::Null));
        let location = json["flows"]["a"].as_str().unwrap();
        let home = folder.path().join(".prefect/flows/a.prefect");
        assert_eq!(location, if kind == "local" { home.to_str().unwrap() } else { "a" });
        assert!(!home.exists(), "a preview stores nothing");
    }
}

#[test]
fn each_step_says_where_it_is_and_why() {
    let folder = folder();
    let json = folder.json(&["preview", "--format", "json"]);
    let dockerfile: Vec<_> = json["dockerfile"].as_str().unwrap().lines().collect();
    let mut next = 1;
    for step in json["steps"].as_array().unwrap() {
        let (line, lines) = (step["line"].as_u64().unwrap(), step["lines"].as_u64().unwrap());
        assert_eq!(line, next, "{step}");
        assert!(step["why"].as_str().unwrap().ends_with('.'), "{step}");
        let first = dockerfile[usize::try_from(line).unwrap() - 1];
        assert!(["FROM ", "ENV ", "COPY ", "RUN "].iter().any(|word| first.starts_with(word)), "{first}");
        next = line + lines;
    }
    assert_eq!(next, dockerfile.len() as u64 + 1);
}

#[test]
fn a_forecast_says_what_runs_again_since_an_earlier_preview() {
    let folder = folder();
    folder.write("old.json", folder.run(&["preview", "--format", "json"]).ok().stdout);
    let since = ["preview", "--since", "old.json", "--format", "json"];
    let cached = |json: &Value| -> Vec<bool> {
        json["forecast"].as_array().unwrap().iter().map(|step| step["cached"].as_bool().unwrap()).collect()
    };
    let same = folder.json(&since);
    assert!(cached(&same).iter().all(|cached| *cached), "{same:#}");
    folder.write("nightly.py", "y");
    let edited = folder.json(&since);
    // FROM, installer, requirements, ENV, two files and the manifest stay; flows and health check run again.
    assert_eq!(cached(&edited), [true, true, true, true, true, true, true, true, false, false], "{edited:#}");
    assert_eq!(edited["forecast"][8]["reason"], "flows/nightly-report.prefect changed");

    let done = folder.run(&["preview", "--since", "old.json"]).ok();
    assert_eq!(done.stdout, edited["dockerfile"].as_str().unwrap());
    assert!(done.stderr.contains("2 of 10 steps run again"), "{done:?}");
    for (text, words) in
        [("", "not an earlier preview"), ("{}", "no Dockerfile"), ("{\"dockerfile\": 1}", "not an earlier preview")]
    {
        folder.write("bad.json", text);
        folder.run(&["preview", "--since", "bad.json"]).fails(1, &[words, "help:"]);
    }
    folder.run(&["preview", "--since", "none.json"]).fails(1, &["none.json"]);
}

const INSTALLING: &str = "[storage]
type = \"docker\"
base_image = \"python:3.11-slim\"
python_dependencies = [\"six\"]
";

/// A resolved spec states even what Python was not asked for, so another Python changes nothing.
#[test]
fn a_resolved_spec_is_closed() {
    let folder = Folder::with_spec("[storage]\ntype = \"docker\"\n[[flows]]\npath = \"a.py\"\n");
    folder.write("a.py", "print(1)\n");
    folder.write("resolved.json", folder.run(&["preview", "--format", "spec"]).ok().stdout);
    let python = folder.write("python", "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder.run(&["check", "--python", "./python"]).fails(1, &["python"]);
    let plan =
        folder.json(&["preview", "-f", "resolved.json", "--python", "./python", "--format", "json"])["plan"].clone();
    assert_eq!(plan, folder.json(&["preview", "--format", "json"])["plan"]);
    folder.run(&["dockerfile", "context", "-f", "resolved.json", "--python", "./python"]).ok();
}

#[test]
fn secrets_are_mounted_and_are_no_part_of_the_plan() {
    let folder = Folder::new();
    let preview = |more: &str| {
        folder.write("flowhold.toml", format!("{INSTALLING}{more}"));
        folder.json(&["preview", "--format", "json"])
    };
    let without = preview("");
    assert!(!without["dockerfile"].as_str().unwrap().contains("--mount"), "{without:#}");
    let with =
        preview("secrets = [{ id = \"PIP_INDEX_URL\", env = \"INDEX\" }, { id = \"netrc\", file = \"secret\" }]\n");
    let mount =
        |id: &str| format!("--mount=type=secret,id={id},target=/dev/shm/flowhold-secrets/{id},mode=0444,required=true");
    let run = format!("\nRUN {} {} [\"python\", ", mount("PIP_INDEX_URL"), mount("netrc"));
    assert!(with["dockerfile"].as_str().unwrap().contains(&run), "{with:#}");
    assert_eq!(with["plan"], without["plan"]);
    let resolved = folder.json(&["preview", "--format", "spec"]);
    let secret = folder.path().join("secret");
    assert_eq!(resolved["storage"]["secrets"][1]["file"], secret.to_str().unwrap());
    // The plan digest depends on what is in the image, and not on how the image is built.
    for (more, same) in [
        ("build_args = { HTTP_PROXY = \"http://proxy\" }", true),
        ("network = \"host\"", true),
        ("cache_from = [\"a/b\"]\ncache_to = \"inline\"", true),
        ("platform = \"linux/arm64\"", false),
        ("installer = \"pip\"", false),
    ] {
        assert_eq!(preview(more)["plan"] == without["plan"], same, "{more}");
    }
}
