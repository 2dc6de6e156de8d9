//! Flow names that would be paths, commands or floods: every command that takes a name refuses them, or makes them
//! harmless.

use std::{fs, path::Path};

use flowhold_tests::Folder;
use serde_json::json;

fn everything_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn names_that_are_refused() {
    let long = "x".repeat(10_000);
    let cases = [
        ("", "empty"),
        (".", "empty slug"),
        ("..", "empty slug"),
        ("/", "empty slug"),
        ("🚀", "empty slug"),
        ("\n", "empty slug"),
        ("\u{1b}[", "empty slug"),
        (&long, "10000 characters"),
    ];
    for (name, words) in cases {
        let folder = Folder::new();
        folder.write("a.py", "x");
        let added = folder.run(&["add", "a.py", "--directory", "d", "--name", name]).fails(1, &[words, "help:"]);
        assert_eq!(added.stdout, "");
        assert!(added.stderr.len() < 1_000, "an error that floods: {} bytes", added.stderr.len());
        assert!(!added.stderr.contains('\u{1b}'), "{added:#?}");
        for kind in ["docker", "local", "bytes", "memory"] {
            let spec = json!({ "storage": { "type": kind }, "flows": [{ "path": "a.py", "name": name }] });
            folder.write("flowhold.toml", spec.to_string());
            folder.run(&["check"]).fails(1, &["error[flow-name]", words]);
            folder.run(&["build", "--progress", "none"]).fails(1, &["error[flow-name]"]);
        }
        assert_eq!(everything_below(folder.path()), ["a.py", "flowhold.toml"], "{name:?}");
    }
}

/// A process can't be given NUL as an argument, but a spec can hold it.
#[test]
fn nul_in_a_spec() {
    let folder = Folder::with_spec("[[flows]]\npath = \"a.py\"\nname = \"a\\u0000b\"\n");
    folder.write("a.py", "x");
    let built = folder.run(&["build"]).ok();
    assert!(built.stdout.contains("/a-b.prefect") && !built.stdout.contains('\0'), "{built:#?}");
    assert_eq!(folder.json(&["ls", "--format", "json"])["flows"].as_object().unwrap().keys().next().unwrap(), "a\0b");
    let folder = Folder::with_spec("[[flows]]\npath = \"a\\u0000.py\"\n");
    folder.run(&["build"]).fails(1, &["error[invalid-value]"]);
}

/// A file is named after the slug, so that these flows stay in their directory.
#[test]
fn names_that_are_made_harmless() {
    let cases = [
        ("../../etc/passwd", "etc-passwd"),
        ("a/b", "a-b"),
        ("/abs", "abs"),
        ("C:\\x", "c-x"),
        ("$(touch owned)", "touch-owned"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("a\nb", "a-b"),
        ("a\rb", "a-b"),
        ("\u{1b}[31mred", "31mred"),
    ];
    for (name, slug) in cases {
        let folder = Folder::new();
        folder.write("deep/a.py", "x");
        let name_argument = format!("--name={name}");
        let directory = folder.path().canonicalize().unwrap().join("deep/d");
        let added = folder.run(&["add", "deep/a.py", "--directory", directory.to_str().unwrap(), &name_argument]).ok();
        assert_eq!(Path::new(added.stdout.trim()), directory.join(format!("{slug}.prefect")));
        let files = [format!("deep/d/{slug}.prefect"), "deep/a.py".to_owned()];
        let notes = |path: &String| !path.starts_with("deep/d/.flowhold/");
        let mut found = everything_below(folder.path());
        found.retain(notes);
        found.sort_by_key(|path| !path.starts_with("deep/d/"));
        assert_eq!(found, files, "{name:?}");
        let listed = folder.json(&["ls", "--directory", directory.to_str().unwrap(), "--format", "json"]);
        assert!(listed["flows"].get(name).is_some(), "{name:?} is not in {listed}");
    }
}

/// Callers may give any location, but only the locations of the storage's own flows are read.
#[test]
fn locations_outside_of_the_storage() {
    let folder = Folder::new();
    let secret = folder.write("secret", "s3cret");
    folder.write("a.py", "x");
    folder.run(&["add", "a.py", "--directory", "d"]).ok();
    std::os::unix::fs::symlink(&secret, folder.path().join("d/link.prefect")).unwrap();
    for location in ["d/../secret", "../secret", "secret", "/etc/hostname", "link"] {
        for command in ["get", "run"] {
            let done = folder.run(&[command, location, "--directory", "d"]).fails(1, &[]);
            assert!(!done.stdout.contains("s3cret") && !done.stderr.contains("s3cret"), "{done:#?}");
        }
    }
    // A storage file that claims another place is not believed either.
    let claim = json!({ "type": "Local", "directory": folder.path().join("d"), "flows": { "a": secret } });
    folder.write("storage.json", claim.to_string());
    let done = folder.run(&["get", "a", "--storage", "storage.json"]).fails(1, &[]);
    assert!(!done.stdout.contains("s3cret"), "{done:#?}");
}
