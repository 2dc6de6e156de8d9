//! `dockerfile DIR` writes a whole build context, and touches nothing that was there.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use flowhold_tests::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("etl.py", "print()\n");
    folder.write("data/run me.sh", "#!/bin/sh\n");
    folder.write("data/sub/é", "x");
    let script = folder.path().join("data/run me.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("sub/é", folder.path().join("data/link")).unwrap();
    let root = folder.path().display();
    folder.write(
        "flowhold.toml",
        format!(
            "[storage]\ntype = \"docker\"\npython_dependencies = [\"six\"]\nfiles = {{ \"{root}/data\" = \"/opt/data\" }}\n[[flows]]\npath = \"etl.py\"\n"
        ),
    );
    folder
}

#[test]
fn it_is_what_the_preview_shows() {
    let folder = folder();
    let preview = folder.json(&["preview", "--format", "json"]);
    assert_eq!(folder.run(&["dockerfile", "out/deep"]).ok().stdout, "out/deep/Dockerfile\n");
    let out = folder.path().join("out/deep");
    assert_eq!(fs::read_to_string(out.join("Dockerfile")).unwrap(), preview["dockerfile"].as_str().unwrap());
    for entry in preview["context"].as_array().unwrap() {
        let path = out.join(entry["path"].as_str().unwrap());
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_symlink() {
            continue;
        }
        assert_eq!(
            metadata.permissions().mode() & 0o7777,
            u32::try_from(entry["mode"].as_u64().unwrap()).unwrap(),
            "{path:?}"
        );
        if metadata.is_file() {
            assert_eq!(metadata.len(), entry["size"].as_u64().unwrap(), "{path:?}");
        }
    }
    assert_eq!(fs::read_to_string(out.join("flows/etl.prefect")).unwrap(), "print()\n");
    assert_eq!(fs::read_to_string(out.join("requirements.txt")).unwrap(), "six\n");
    assert_eq!(fs::read_link(out.join("files/0-data/link")).unwrap().to_str(), Some("sub/é"));
    let mode = fs::metadata(out.join("files/0-data/run me.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
}

#[test]
fn to_standard_output_it_is_a_tar_of_the_same() {
    let folder = folder();
    folder.run(&["dockerfile", "out"]).ok();
    let output = folder.command(&["dockerfile", "-"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    folder.write("context.tar", &output.stdout);
    fs::create_dir(folder.path().join("unpacked")).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{program}: {done:?}");
    };
    run("tar", &["--extract", "--preserve-permissions", "--file", "context.tar", "--directory", "unpacked"]);
    run("diff", &["--recursive", "--no-dereference", "out", "unpacked"]);
}

#[test]
fn its_result_as_json() {
    assert_eq!(folder().json(&["dockerfile", "out", "--format", "json"])["path"], "out/Dockerfile");
}

/// `docker build` needs flags for everything that a Dockerfile can't express.
#[test]
fn the_flags_of_docker_build_are_told() {
    let folder = folder();
    let plain = folder.run(&["dockerfile", "plain"]).ok();
    assert!(!plain.stderr.contains("docker build"), "{plain:#?}");
    folder.write(
        "more.json",
        r#"{ "storage": { "type": "docker", "base_image": "python:3.9", "platform": "linux/arm64", "network": "host",
             "build_args": { "HTTP_PROXY": "http://it's" }, "secrets": [{ "id": "TOKEN", "env": "MY_TOKEN" },
             { "id": "netrc", "file": "my netrc" }], "cache_from": ["r.example/a:1"], "cache_to": "inline",
             "python_dependencies": ["six"] } }"#,
    );
    let folder_path = folder.path().display();
    let flags = format!(
        " --platform linux/arm64 --network host --build-arg 'HTTP_PROXY=http://it'\\''s' \
         --build-arg BUILDKIT_INLINE_CACHE=1 --secret id=TOKEN,env=MY_TOKEN \
         --secret 'id=netrc,src={folder_path}/my netrc' --cache-from r.example/a:1\n"
    );
    let more = folder.run(&["dockerfile", "more", "-f", "more.json"]).ok();
    assert!(more.stderr.ends_with(&flags), "{flags} {}", more.stderr);
}

#[test]
fn nothing_is_overwritten() {
    for taken in ["Dockerfile", "requirements.txt", "install.py", "files", "flows", "flowhold"] {
        let folder = folder();
        folder.write(&format!("out/{taken}"), "mine");
        folder.write("out/unrelated", "mine");
        folder.run(&["dockerfile", "out"]).fails(1, &[&format!("out/{taken} exists already")]);
        assert_eq!(fs::read_to_string(folder.path().join("out").join(taken)).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 2, "{taken}");
    }
    let folder = folder();
    folder.write("out", "mine");
    for directory in ["out", "out/below"] {
        folder.run(&["dockerfile", directory]).fails(1, &["not a directory", "help:"]);
    }
}

#[test]
fn where_there_is_no_context() {
    let folder = Folder::with_spec("[[flows]]\npath = \"a.py\"\n");
    folder.write("a.py", "x");
    folder.run(&["dockerfile", "out"]).fails(1, &[]);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn nothing_is_written_where_docker_would_not_see_it() {
    for name in [".dockerignore", "Dockerfile.dockerignore"] {
        let folder = folder();
        folder.write(&format!("out/{name}"), "*\n");
        folder.run(&["dockerfile", "out"]).fails(1, &[name, "empty directory"]);
        assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 1);
    }
}
