//! Files and directories arrive in the image as they are on the host.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use flowhold_tests::Folder;
use serde_json::{Value, json};

use crate::{
    daemon::text_inside,
    project::{BUILDERS, Project, quoted},
};

/// Prints, for everything below the arguments, path -> mode and content: text, target of a link, or nothing.
const TREE: &str = r"
import json, os, stat, sys
found = {}
def look(path):
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        content = os.readlink(path)
    elif stat.S_ISDIR(mode):
        content = None
        for name in os.listdir(path):
            look(os.path.join(path, name))
    else:
        content = open(path, encoding='utf-8').read()
    found[path] = [stat.filemode(mode), content]
for path in sys.argv[1:]:
    look(path)
print(json.dumps(found))
";

/// Builds with these files, source -> destination, and looks at paths in the image.
fn built(files: &[(String, &str)], paths: &[&str]) -> (Project, Value) {
    let project = with_files(files);
    project.build(&["--no-push"]);
    let tree = tree(&project, paths);
    (project, tree)
}

fn with_files(files: &[(String, &str)]) -> Project {
    let lines: Vec<String> = files
        .iter()
        .map(|(source, destination)| format!("files.{} = {}", quoted(source), quoted(destination)))
        .collect();
    Project::of_script(&lines.join("\n"), "print('ran')\n")
}

fn tree(project: &Project, paths: &[&str]) -> Value {
    let text = text_inside(&project.reference(), &[&["python", "-c", TREE], paths].concat());
    serde_json::from_str(&text).unwrap()
}

fn name(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn names_need_not_be_plain() {
    const NAMES: [&str; 14] = [
        "plain.txt",
        "two  words.txt",
        " around ",
        "ünï Ж 日本 🦀.txt",
        "quo\"te.txt",
        "it's.txt",
        "$HOME ${PATH}.txt",
        "br[a-c]ket.txt",
        "star*?.txt",
        "back\\slash\\",
        "#hash",
        "-rf",
        "{{.ID}},a=b",
        "~tilde",
    ];
    let folder = Folder::new();
    let targets: Vec<String> = NAMES.iter().map(|name| format!("/data/{name}")).collect();
    let files: Vec<(String, &str)> = NAMES
        .iter()
        .zip(&targets)
        .map(|(file, target)| (name(&folder.write(file, format!("content of {file}"))), target.as_str()))
        .collect();
    let (_project, tree) = built(&files, &["/data"]);
    assert_eq!(tree.as_object().unwrap().len(), 1 + NAMES.len(), "{tree:#}");
    for name in NAMES {
        assert_eq!(tree[format!("/data/{name}")][1], format!("content of {name}"), "{name:?}");
    }
}

/// If the destination is a directory, the file goes into it, as with Docker.
#[test]
fn a_directory_of_the_base_takes_a_file_by_its_name() {
    let folder = Folder::new();
    let long = "x".repeat(255);
    let directories = ["/etc", "/home", "/tmp", "/usr/local/bin", "/usr/local/lib", "/var", "/sbin"];
    let names = [
        "plain.sh",
        "ünï Ж 日本 🦀.txt",
        "$HOME ${PATH} <<EOF",
        "br[a-c]ket.txt",
        "star*?.txt",
        "back\\slash\\",
        long.as_str(),
    ];
    let files: Vec<_> = names.iter().zip(directories).map(|(file, to)| (name(&folder.write(file, file)), to)).collect();
    for builder in BUILDERS {
        let project = with_files(&files);
        project.build_by(builder, &["--no-push"]);
        let paths: Vec<_> = names.iter().zip(directories).map(|(file, to)| format!("{to}/{file}")).collect();
        let found = tree(&project, &paths.iter().map(String::as_str).collect::<Vec<_>>());
        for (path, file) in paths.iter().zip(names) {
            assert_eq!(found[path][1], file, "{builder} {found:#}");
        }
    }
}

#[test]
fn modes_are_kept() {
    const MODES: [(u32, &str); 6] = [
        (0o755, "-rwxr-xr-x"),
        // The setuid bit is dropped: the classic builder would drop it, and a plan is one image.
        (0o4755, "-rwxr-xr-x"),
        (0o600, "-rw-------"),
        (0o444, "-r--r--r--"),
        (0o640, "-rw-r-----"),
        (0o777, "-rwxrwxrwx"),
    ];
    let folder = Folder::new();
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for (mode, _) in MODES {
        let path = folder.write(&format!("{mode:o}"), "x");
        let below = folder.write(&format!("directory/{mode:o}"), "x");
        for path in [&path, &below] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        sources.push(name(&path));
        targets.push(format!("/data/{mode:o}"));
    }
    sources.push(name(&folder.path().join("directory")));
    targets.push("/data/directory".to_owned());
    let files: Vec<_> = sources.into_iter().zip(targets.iter().map(String::as_str)).collect();
    let (_project, tree) = built(&files, &["/data"]);
    for (mode, expected) in MODES {
        assert_eq!(tree[format!("/data/{mode:o}")][0], expected);
        assert_eq!(tree[format!("/data/directory/{mode:o}")][0], expected);
    }
}

#[test]
fn directories_come_whole() {
    let folder = Folder::new();
    for file in
        ["tree/a.txt", "tree/two words/ünï.txt", "tree/deep/er/still/b.txt", "tree/.hidden", "tree/.dockerignore"]
    {
        folder.write(file, file);
    }
    let tree = folder.path().join("tree");
    fs::create_dir(tree.join("empty")).unwrap();
    fs::create_dir(tree.join("private")).unwrap();
    fs::set_permissions(tree.join("private"), Permissions::from_mode(0o700)).unwrap();
    symlink("a.txt", tree.join("link")).unwrap();
    symlink("/nowhere/at all", tree.join("dangling")).unwrap();
    symlink("deep", tree.join("link to directory")).unwrap();
    let (_project, found) = built(&[(name(&tree), "/opt/model")], &["/opt/model"]);
    let directory = json!(["drwxr-xr-x", null]);
    let file = |name: &str| json!(["-rw-r--r--", name]);
    let expected = json!({
        "/opt/model": directory,
        "/opt/model/a.txt": file("tree/a.txt"),
        "/opt/model/two words": directory,
        "/opt/model/two words/ünï.txt": file("tree/two words/ünï.txt"),
        "/opt/model/deep": directory,
        "/opt/model/deep/er": directory,
        "/opt/model/deep/er/still": directory,
        "/opt/model/deep/er/still/b.txt": file("tree/deep/er/still/b.txt"),
        "/opt/model/.hidden": file("tree/.hidden"),
        "/opt/model/.dockerignore": file("tree/.dockerignore"),
        "/opt/model/empty": directory,
        "/opt/model/private": ["drwx------", null],
        "/opt/model/link": ["lrwxrwxrwx", "a.txt"],
        "/opt/model/dangling": ["lrwxrwxrwx", "/nowhere/at all"],
        "/opt/model/link to directory": ["lrwxrwxrwx", "deep"],
    });
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(keys(&found), keys(&expected));
    for (path, expected) in expected.as_object().unwrap() {
        assert_eq!(&found[path], expected, "{path}");
    }
}

#[test]
fn a_slash_at_the_end_makes_a_directory() {
    let folder = Folder::new();
    let file = name(&folder.write("a file.txt", "a"));
    folder.write("tree/b.txt", "b");
    let tree = name(&folder.path().join("tree"));
    let (_project, found) = built(&[(file, "/srv/in/"), (tree, "/srv/tree/")], &["/srv"]);
    assert_eq!(found["/srv/in/a file.txt"][1], "a", "{found:#}");
    assert_eq!(found["/srv/tree/b.txt"][1], "b", "{found:#}");
}

#[test]
fn a_file_may_go_into_a_directory_that_the_base_image_has() {
    let folder = Folder::new();
    let file = name(&folder.write("tool", "tool"));
    let (project, found) = built(&[(file, "/usr/local/bin/tool")], &["/usr/local/bin/tool"]);
    assert_eq!(found["/usr/local/bin/tool"][1], "tool");
    // The rest of the directory is still there.
    text_inside(&project.reference(), &["/usr/local/bin/python", "--version"]);
}

#[test]
fn flows_are_copied_byte_by_byte() {
    let scripts: [(&str, &[u8]); 4] = [
        ("crlf.py", b"print('a')\r\nprint('b')\r\n"),
        ("bom.py", b"\xef\xbb\xbfprint('bom')\n"),
        ("latin.py", b"# -*- coding: latin-1 -*-\nprint('caf\xe9')\n"),
        ("no_end.py", b"print('no line end')"),
    ];
    let flows: Vec<String> = scripts.iter().map(|(file, _)| format!("path = {}", quoted(file))).collect();
    let project = Project::new("", &flows.iter().map(String::as_str).collect::<Vec<_>>());
    for (file, content) in scripts {
        project.folder.write(file, content);
    }
    let report = project.build(&["--no-push"]);
    for (file, content) in scripts {
        let location = report["flows"][file.trim_end_matches(".py")].as_str().unwrap();
        assert_eq!(crate::daemon::inside(&project.reference(), &["cat", location]), content, "{file}");
    }
    for (flow, expected) in [("crlf", "a\nb\n"), ("bom", "bom\n"), ("latin", "café\n"), ("no_end", "no line end\n")] {
        assert_eq!(project.folder.run(&["run", flow]).ok().stdout, expected);
    }
}
