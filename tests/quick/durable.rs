//! Checks what reaches the disk, and in which order, by the system calls that strace (Debian's package of that name)
//! sees.

use std::{
    fs,
    process::{Command, Stdio},
};

use flowhold_tests::{Done, Folder, binary};

/// The calls that change something, or look into a directory.
const CALLS: &str = "trace=%file,write,fsync,fdatasync,syncfs,flock,getdents64,linkat,ftruncate";

/// Runs a command under strace. Returns what it did, and its calls in order, each with the paths of its files.
fn traced(folder: &Folder, options: &[&str], arguments: &[&str]) -> (Done, Vec<String>) {
    let trace = folder.path().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-s", "64", "-o"]).arg(&trace).args(options).arg(binary()).args(arguments);
    command.current_dir(folder.path()).env("HOME", folder.path());
    let done = Done::of(command.stdin(Stdio::null()).output().unwrap());
    let text = fs::read_to_string(trace).unwrap();
    // Each line begins with the id of the thread.
    let calls = text.lines().filter_map(|line| line.split_once(' ').map(|(_, call)| call.trim_start().to_owned()));
    (done, calls.collect())
}

/// The first call from `start` on that has all of these words in it.
#[track_caller]
fn after(calls: &[String], start: usize, words: &[&str]) -> usize {
    let found = calls[start..].iter().position(|call| words.iter().all(|word| call.contains(word)));
    assert!(found.is_some(), "no {words:?} from call {start} on in\n{}", calls.join("\n"));
    start + found.unwrap()
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("etl.py", "print('hello')\n");
    folder
}

/// Directories and their parents, the note and its directory, the flow and its directory: each is whole before the
/// next.
#[test]
fn a_flow_is_synced_before_it_has_its_name_and_before_it_is_reported() {
    let folder = folder();
    let (done, calls) = traced(&folder, &["-e", CALLS], &["add", "etl.py", "--name", "Odd: é", "--directory", "a/b"]);
    done.ok();
    let root = folder.path().canonicalize().unwrap();
    let at = |path: &str| format!("<{}>", root.join(path).display());
    let mut now = 0;
    for words in [
        // The directory a/b itself: a is on the disk before b.
        &["mkdirat(", "\"a\"", "= 0"][..],
        &["fsync(", &format!("<{}>", root.display()), "= 0"],
        &["mkdirat(", &at("a"), "\"b\"", "= 0"],
        &["fsync(", &at("a"), "= 0"],
        &["flock(", &at("a/b"), "LOCK_EX"],
        &["mkdirat(", &at("a/b"), "\".flowhold\"", "= 0"],
        &["fsync(", &at("a/b"), "= 0"],
        &["write(", "/a/b/.flowhold/#", "Odd"],
        &["fsync(", "/a/b/.flowhold/#", "= 0"],
        &["linkat(", "\"odd-e.json\"", "= 0"],
        &["fsync(", &at("a/b/.flowhold"), "= 0"],
        &["write(", "/a/b/#", "print('hello')"],
        &["fsync(", "/a/b/#", "= 0"],
        &["linkat(", "\"odd-e.prefect\"", "= 0"],
        &["fsync(", &at("a/b"), "= 0"],
        &["write(1<", "odd-e.prefect"],
    ] {
        now = after(&calls, now, words) + 1;
    }
}

/// The process that made the directory may have been killed before the directory was synced.
#[test]
fn a_directory_that_another_process_made_is_synced_too() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("d/.flowhold")).unwrap();
    let (done, calls) = traced(&folder, &["-e", CALLS], &["add", "etl.py", "--name", "Odd: é", "--directory", "d"]);
    done.ok();
    let mut now = 0;
    for words in [
        &["mkdirat(", "/d>", "\".flowhold\"", "EEXIST"][..],
        &["fsync(", "/d>", "= 0"],
        &["write(", "/d/.flowhold/#", "Odd"],
        &["write(1<", "odd-e.prefect"],
    ] {
        now = after(&calls, now, words) + 1;
    }
}

/// If files can't be without a name, they get a temporary one, and the order is the same.
#[test]
fn so_it_is_where_files_need_names() {
    let folder = folder();
    fs::create_dir(folder.path().join("d")).unwrap();
    // As if there were no /proc. Without O_TMPFILE, the same happens from there on.
    let options = ["-e", CALLS, "-e", "inject=linkat:error=ENOENT:when=1"];
    let (done, calls) = traced(&folder, &options, &["add", "etl.py", "--directory", "d"]);
    done.ok();
    let mut now = after(&calls, 0, &["linkat(", "etl.prefect", "INJECTED"]);
    for words in [
        &["write(", "/d/.unfinished-", "print('hello')"][..],
        &["fsync(", "/d/.unfinished-", "= 0"],
        &["linkat(", ".unfinished-", "\"etl.prefect\"", "= 0"],
        &["unlinkat(", ".unfinished-", "= 0"],
        &["fsync(", "/d>", "= 0"],
        &["write(1<", "etl.prefect"],
    ] {
        now = after(&calls, now, words) + 1;
    }
    assert_eq!(fs::read_dir(folder.path().join("d")).unwrap().count(), 1);
}

/// A spec of `count` flows, of which every other has a note.
fn with_flows(count: usize) -> Folder {
    let name = |n| if n % 2 == 0 { format!("flow-{n}") } else { format!("Flow {n}") };
    let flows: String = (0..count).map(|n| format!("[[flows]]\npath = \"etl.py\"\nname = \"{}\"\n", name(n))).collect();
    let folder = Folder::with_spec(&format!("[storage]\ndirectory = \"d\"\n{flows}"));
    folder.write("etl.py", "print('hello')\n");
    folder
}

/// All notes, then all flows: no file gets its name, and no flow is reported, before all files of its kind are synced.
#[test]
fn many_are_synced_together_before_any_has_its_name() {
    const FLOWS: usize = 80;
    let folder = with_flows(FLOWS);
    let (done, calls) = traced(&folder, &["-e", CALLS], &["build"]);
    done.ok();
    let all = |words: &[&str]| {
        let all = calls.iter().enumerate().filter(|(_, call)| words.iter().all(|word| call.contains(word)));
        all.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let mut now = 0;
    for (count, content, file, name, directory) in [
        (FLOWS / 2, "Flow ", "/d/.flowhold/#", ".json\"", "/d/.flowhold>"),
        (FLOWS, "print('hello')", "/d/#", ".prefect\"", "/d>"),
    ] {
        let written = all(&["write(", file, content]);
        let synced = after(&calls, now, &["syncfs(", directory, "= 0"]);
        let named = all(&["linkat(", name, "= 0"]);
        assert_eq!((written.len(), named.len()), (count, count), "{}", calls.join("\n"));
        assert!(now <= written[0] && written[count - 1] < synced && synced < named[0], "{}", calls.join("\n"));
        now = after(&calls, named[count - 1], &["fsync(", directory, "= 0"]);
    }
    after(&calls, now, &["write(1<"]);
}

/// If the build is killed, each flow is there as a whole or not at all; the next build stores the rest.
#[test]
fn killed_while_many_are_stored() {
    const FLOWS: usize = 34;
    // The build is not killed at each call, since there are hundreds.
    const STRIDE: usize = 3;
    let (mut kills, mut partial) = (0, 0);
    for call in ["mkdirat", "openat", "write", "syncfs", "linkat", "fsync"] {
        let trace = format!("trace={call}");
        // strace counts the calls of each thread separately.
        for when in (1..).step_by(STRIDE) {
            let folder = with_flows(FLOWS);
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let (done, _) = traced(&folder, &["-e", &trace, "-e", &inject], &["build"]);
            let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
            let listed = listed["flows"].as_object().unwrap();
            for (name, location) in listed {
                assert_eq!(
                    fs::read_to_string(location.as_str().unwrap()).unwrap(),
                    "print('hello')\n",
                    "{call} {when}: {name}"
                );
                // Without its note, a flow would have another name.
                assert!(
                    name.starts_with("flow-") == (name.ends_with(['0', '2', '4', '6', '8'])),
                    "{call} {when}: {name}"
                );
            }
            if done.code == 0 {
                assert_eq!(listed.len(), FLOWS, "{call} {when}");
                break;
            }
            assert_eq!(done.code, -1, "{call} {when}: {done:#?}");
            kills += 1;
            partial += usize::from(!listed.is_empty() && listed.len() < FLOWS);
            folder.run(&["build"]).ok();
            let flows = fs::read_dir(folder.path().join("d")).unwrap();
            let names = flows.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let (flows, others): (Vec<_>, Vec<_>) = names.partition(|name| name.ends_with(".prefect"));
            assert_eq!((flows.len(), others.as_slice()), (FLOWS, &[".flowhold".to_owned()][..]), "{call} {when}");
        }
    }
    // The exact numbers depend on which thread does what.
    assert!(kills > 20 && partial >= 4, "{kills} {partial}");
}

/// A file that can't be linked to its name like the others is written again under its name. If a file system can't be
/// synced as a whole, each file is synced by itself.
#[test]
fn what_many_do_otherwise_one_can_do_alone() {
    const FLOWS: usize = 40;
    let built = |fault: &str| {
        let folder = with_flows(FLOWS);
        let (done, calls) = traced(&folder, &["-e", CALLS, "-e", fault], &["build"]);
        done.ok();
        let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
        assert_eq!(listed["flows"].as_object().unwrap().len(), FLOWS);
        calls
    };
    // There are 20 notes, too few for one sync. Which flow is refused depends on whether its thread links notes, too.
    let calls = built("inject=linkat:error=ENOENT:when=22..23");
    let refused = after(&calls, 0, &["linkat(", ".prefect\"", "INJECTED"]);
    let name = calls[refused].rsplit('"').nth(1).unwrap();
    after(&calls, refused, &["linkat(", ".unfinished-", &format!("\"{name}\""), "= 0"]);
    let calls = built("inject=syncfs:error=EIO");
    let synced = |call: &&String| call.contains("fsync(") && call.contains("/d/#");
    assert_eq!(calls.iter().filter(synced).count(), FLOWS);
}

#[test]
fn a_storage_file_is_synced_before_it_takes_the_place_of_the_last() {
    let folder = Folder::with_spec("[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"etl.py\"\n");
    folder.write("etl.py", "x");
    folder.run(&["build"]).ok();
    let (done, calls) = traced(&folder, &["-e", CALLS], &["build"]);
    done.ok();
    let root = format!("<{}>", folder.path().canonicalize().unwrap().display());
    let written = after(&calls, 0, &["write(", "/.tmp", "Bytes"]);
    let synced = after(&calls, written, &["fsync(", "/.tmp", "= 0"]);
    let renamed = after(&calls, synced, &["rename", "storage.json", "= 0"]);
    after(&calls, renamed, &["fsync(", &root, "= 0"]);
}

/// The measure is system calls, not time: they are the same beside 100,000 flows as in an empty directory.
#[test]
fn adding_does_the_same_however_many_flows_there_are() {
    let calls = |flows: usize| {
        let folder = folder();
        let directory = folder.path().join("d");
        fs::create_dir(&directory).unwrap();
        for n in 0..flows {
            fs::File::create(directory.join(format!("{n}.prefect"))).unwrap();
        }
        let (done, calls) =
            traced(&folder, &["-e", CALLS], &["add", "etl.py", "--name", "My Flow", "--directory", "d"]);
        done.ok();
        let own = calls.iter().filter(|call| call.contains(&*directory.to_string_lossy()) || call.contains("my-flow"));
        let names = own.filter_map(|call| call.split_once('(').map(|(name, _)| name.to_owned()));
        names.collect::<Vec<_>>()
    };
    let few = calls(0);
    assert!(few.iter().filter(|name| *name == "fsync").count() >= 4, "{few:?}");
    assert!(!few.iter().any(|name| name.starts_with("getdents")), "{few:?}");
    assert_eq!(calls(100_000), few);
}

/// Kills the command at each call that changes files, one after the other: the first flow stays, the next add works.
#[test]
fn killed_at_each_step() {
    let arguments = ["add", "etl.py", "--name", "My Flow", "--directory", "d"];
    let with_first = || {
        let folder = folder();
        folder.run(&["add", "etl.py", "--name", "first", "--directory", "d"]).ok();
        folder
    };
    let mut kills = 0;
    for call in ["mkdirat", "flock", "openat2", "openat", "write", "fsync", "linkat", "exit_group"] {
        let trace = format!("trace={call}");
        // strace counts the calls of each thread separately.
        for when in 1.. {
            let folder = with_first();
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let (done, _) = traced(&folder, &["-e", &trace, "-e", &inject], &arguments);
            let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
            let names: Vec<_> = listed["flows"].as_object().unwrap().keys().map(String::as_str).collect();
            assert!(names == ["first"] || names == ["first", "My Flow"], "{call} {when}: {names:?}");
            let reported = done.stdout.ends_with('\n');
            assert!(!reported || names.len() == 2, "{call} {when}: reported and lost");
            if done.code == 0 {
                break;
            }
            assert_eq!(done.code, -1, "{call} {when}: {done:#?}");
            kills += 1;
            let again = folder.run(&arguments);
            assert_eq!(again.code, i32::from(names.len() == 2), "{call} {when}: {again:#?}");
            // Another flow with that slug gets its own name, even if the killed writer has left a note.
            if names.len() == 1 {
                fs::remove_file(folder.path().join("d/my-flow.prefect")).unwrap();
                folder.run(&["add", "etl.py", "--name", "my-flow", "--directory", "d"]).ok();
                let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
                assert!(listed["flows"]["my-flow"].is_string(), "{listed}");
            }
            let flows = fs::read_dir(folder.path().join("d")).unwrap();
            let strange: Vec<_> = flows
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| !name.ends_with(".prefect") && name != ".flowhold")
                .collect();
            assert_eq!(strange, [""; 0], "{call} {when}");
        }
    }
    assert!(kills > 20, "{kills}");
}
