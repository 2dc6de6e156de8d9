//! Large contexts: BuildKit is sent only what it doesn't have, and the classic builder everything.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    process::{Child, ChildStderr},
};

use flowhold_tests::{Done, Folder};
use serde_json::Value;

use crate::{
    daemon::{docker, forget, has_image, send, text_inside},
    project::{BEFORE, BUILDERS, Project, quoted, unique},
};

const MEBIBYTE: usize = 1 << 20;

/// A project with these lines in `[storage]`, and a folder that becomes `/data` in its image.
fn with(data: &Folder, storage: &str) -> Project {
    let files = format!("{storage}\nfiles.{} = \"/data\"", quoted(data.path().to_str().unwrap()));
    Project::of_script(&files, "print('x')\n")
}

/// The sizes in the last event about a context: bytes sent, and bytes in all.
fn sent(done: &Done) -> (u64, u64) {
    let mut events = done.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = events.rfind(|event| event["event"] == "context" && event["complete"] == true).unwrap();
    (last["bytes_sent"].as_u64().unwrap(), last["bytes_total"].as_u64().unwrap())
}

fn build(project: &Project, builder: &str) -> (u64, u64) {
    sent(&project.try_build_by(builder, &["--no-push", "--progress", "json"]).ok())
}

/// What `/data` holds in the image: types, modes, times, links and digests.
fn listing(project: &Project) -> String {
    let script = "cd /data && find . -exec stat -c '%n %F %a %u %g' {} ';' | sort; \
                  find . -type f -exec stat -c '%n %s %Y' {} ';' | sort; \
                  find . -type f -exec sha256sum {} ';' | sort; \
                  find . -type l -exec readlink {} ';'";
    docker(&["run", "--rm", "--network", "none", &project.reference(), "sh", "-c", script]).ok().stdout
}

#[test]
fn buildkit_is_sent_what_it_does_not_have() {
    let data = Folder::new();
    data.write("large", "a".repeat(3 * MEBIBYTE));
    data.write("tree/deep/small", "b");
    data.write("tree-and-more", "c");
    let project = with(&data, "");
    let (first, whole) = build(&project, "1");
    assert_eq!(first, whole);

    // Another flow.
    project.folder.write("flow.py", "print('y')\n");
    let (second, whole) = build(&project, "1");
    assert!(second < MEBIBYTE as u64 && whole > 3 * MEBIBYTE as u64, "{second} of {whole}");

    // The file changes, but neither its size nor its time.
    let path = data.path().join("large");
    let time = path.metadata().unwrap().modified().unwrap();
    data.write("large", "A".repeat(3 * MEBIBYTE));
    File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    let (third, whole) = build(&project, "1");
    assert!(third == 3 * MEBIBYTE as u64 && third < whole, "{third} of {whole}");
    let image = project.reference();
    assert_eq!(text_inside(&image, &["head", "-c", "2", "/data/large"]), "AA");

    // One file less, and one that is a directory now.
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(data.path().join("tree-and-more")).unwrap();
    data.write("tree-and-more/inner", "d".repeat(2 * MEBIBYTE));
    build(&project, "1");
    let found = text_inside(&image, &["sh", "-c", "cd /data && find . -type f | sort | tr '\\n' ' '"]);
    assert_eq!(found.trim(), "./tree-and-more/inner ./tree/deep/small");
}

#[test]
fn contexts_of_one_name_do_not_mix() {
    let name = unique();
    let builds = ["a", "b", "c", "d"].map(|letter| {
        let data = Folder::new();
        data.write("large", letter.repeat(3 * MEBIBYTE));
        data.write(letter, "");
        let storage = format!("image_name = {}\nimage_tag = {}", quoted(&name), quoted(letter));
        (letter, with(&data, &storage), data)
    });
    for _ in 0..3 {
        let children = builds.each_ref().map(|(letter, project, _)| {
            let child = project.watched(&["build", "--no-push", "--format", "json"]).spawn().unwrap();
            (*letter, child)
        });
        for (letter, child) in children {
            let report = Done::of(child.wait_with_output().unwrap()).ok().json();
            let image = report["image"].as_str().unwrap();
            let script = "cd /data && ls && head -c 1 large && tail -c 1 large && wc -c < large";
            let told = text_inside(image, &["sh", "-c", script]);
            assert_eq!(told, format!("{letter}\nlarge\n{letter}{letter}{}\n", 3 * MEBIBYTE));
            forget(image);
        }
    }
}

#[test]
fn both_builders_unpack_the_same() {
    let data = Folder::new();
    data.write("large", "a".repeat(2 * MEBIBYTE));
    data.write("empty", "");
    data.write("a b/größe", "b");
    data.write("a/b", "sorted behind a b by a byte, and before it by a name");
    data.write("run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(data.path().join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(data.path().join("nothing")).unwrap();
    std::fs::set_permissions(data.path().join("nothing"), std::fs::Permissions::from_mode(0o750)).unwrap();
    symlink("../a b/größe", data.path().join("link")).unwrap();
    let project = with(&data, "");
    let listings = BUILDERS.map(|builder| {
        let (sent, whole) = build(&project, builder);
        assert_eq!(sent, whole);
        listing(&project)
    });
    assert!(listings[0].contains("./run.sh regular file 755 0 0\n"), "{}", listings[0]);
    assert_eq!(listings[0], listings[1]);
}

/// Starts a build, and returns it in the middle of sending its context.
fn sending(project: &Project, builder: &str) -> (Child, BufReader<ChildStderr>) {
    let mut command = project.watched(&["build", "--progress", "json"]);
    let mut child = command.env("DOCKER_BUILDKIT", builder).spawn().unwrap();
    let mut events = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"bytes_sent\"") {
        line.clear();
        assert!(events.read_line(&mut line).unwrap() > 0, "it ended before it had sent anything");
    }
    (child, events)
}

fn ended((mut child, mut events): (Child, BufReader<ChildStderr>)) -> (Option<i32>, String) {
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().code(), rest)
}

/// A project with a file that takes a while to be sent.
fn slow(data: &Folder) -> Project {
    File::create(data.path().join("large")).unwrap().set_len(400 * MEBIBYTE as u64).unwrap();
    let project = with(data, "");
    project.folder.write("storage.json", BEFORE);
    project
}

#[track_caller]
fn nothing_is_left(project: &Project) {
    assert!(!has_image(&project.reference()));
    assert_eq!(project.storage_text(), BEFORE);
    project.has_no_temporary_files();
}

#[test]
fn a_file_that_changes_while_it_is_sent_ends_the_build() {
    for builder in BUILDERS {
        let data = Folder::new();
        let project = slow(&data);
        let building = sending(&project, builder);
        File::options().append(true).open(data.path().join("large")).unwrap().write_all(b"more").unwrap();
        let (code, told) = ended(building);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("large changed while it was read"), "{told}");
        nothing_is_left(&project);
    }
}

#[test]
fn an_interrupted_build_stops_sending() {
    for builder in BUILDERS {
        let data = Folder::new();
        let project = slow(&data);
        let building = sending(&project, builder);
        send("-INT", building.0.id());
        let (code, told) = ended(building);
        assert_eq!(code, Some(130), "{told}");
        nothing_is_left(&project);
    }
}
