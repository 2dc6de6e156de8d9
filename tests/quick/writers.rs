//! Many processes at once in one directory of flows.

use std::{
    fs,
    process::{Command, Stdio},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use flowhold_tests::{Done, Folder, wait_for};
use serde_json::json;

/// The script of a flow: large enough to be written and read in pieces, with the flow's name in each line.
fn script(name: &str) -> String {
    format!("print({name:?})\n").repeat(150_000 / name.len())
}

/// Runs commands that begin together.
fn at_once(folder: &Folder, commands: &[Vec<&str>]) -> Vec<Done> {
    let start = Barrier::new(commands.len());
    let run = |arguments: &[&str]| {
        start.wait();
        folder.run(arguments)
    };
    thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> = commands.iter().map(|arguments| scope.spawn(move || run(arguments))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// What is in the directory beside the flows and their notes: nothing unfinished should be there.
fn leftovers(folder: &Folder) -> Vec<String> {
    let names = |directory: &str| {
        let entries = fs::read_dir(folder.path().join(directory)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let strange = |end: &'static str| move |name: &String| !name.ends_with(end) && name != ".flowhold";
    let mut all: Vec<_> = names("d").into_iter().filter(strange(".prefect")).collect();
    all.extend(names("d/.flowhold").into_iter().filter(strange(".json")));
    all
}

#[test]
fn all_can_add_list_and_get() {
    const WRITERS: usize = 8;
    const FLOWS: usize = 10;
    let folder = Folder::new();
    // Every other name is not its own slug, and so has a note.
    let names: Vec<Vec<String>> = (0..WRITERS)
        .map(|writer| {
            (0..FLOWS).map(|n| if n % 2 == 0 { format!("w{writer}-{n}") } else { format!("W{writer}: {n}") }).collect()
        })
        .collect();
    for name in names.iter().flatten() {
        folder.write(&format!("{name}.py"), script(name));
    }
    let working = AtomicUsize::new(WRITERS);
    let add = |names: &[String]| {
        for name in names {
            folder.run(&["add", &format!("{name}.py"), "--name", name, "--directory", "d"]).ok();
        }
        working.fetch_sub(1, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        let add = &add;
        for names in &names {
            scope.spawn(move || add(names));
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while working.load(Ordering::Relaxed) > 0 {
                    let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
                    for name in listed["flows"].as_object().unwrap().keys() {
                        assert!(names.iter().flatten().any(|one| one == name), "{name:?} is no name that was given");
                    }
                    if let Some(name) = listed["flows"].as_object().unwrap().keys().next_back() {
                        assert!(folder.run(&["get", name, "--directory", "d"]).ok().stdout == script(name), "{name}");
                    }
                }
            });
        }
    });
    let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
    assert_eq!(listed["flows"].as_object().unwrap().len(), WRITERS * FLOWS);
    for name in names.iter().flatten() {
        assert!(folder.run(&["get", name, "--directory", "d"]).ok().stdout == script(name), "{name}");
    }
    assert_eq!(leftovers(&folder), [""; 0]);
}

#[test]
fn of_one_name_one_wins() {
    const WRITERS: usize = 6;
    let folder = Folder::new();
    let files: Vec<_> = (0..WRITERS).map(|writer| format!("{writer}.py")).collect();
    for file in &files {
        folder.write(file, script(file));
    }
    for round in 0..15 {
        let name = format!("Flow {round}");
        let commands: Vec<_> =
            files.iter().map(|file| vec!["add", file.as_str(), "--name", name.as_str(), "--directory", "d"]).collect();
        let done = at_once(&folder, &commands);
        let winners: Vec<_> = (0..WRITERS).filter(|writer| done[*writer].code == 0).collect();
        let [winner] = winners[..] else { panic!("{winners:?} won: {done:#?}") };
        for one in done.into_iter().filter(|one| one.code != 0) {
            one.fails(1, &["name conflict", &format!("{name:?}"), "help: remove "]);
        }
        assert!(folder.run(&["get", &name, "--directory", "d"]).ok().stdout == script(&files[winner]), "{name}");
    }
    assert_eq!(leftovers(&folder), [""; 0]);
}

/// Names that would be one file: the winner's name is listed, whatever the others did to its note.
#[test]
fn of_one_slug_one_wins() {
    let folder = Folder::new();
    folder.write("a.py", "x");
    for round in 0..20 {
        let names = [format!("odd-{round}"), format!("Odd {round}"), format!("ODD: {round}"), format!("odd, {round}!")];
        let directory = format!("d{round}");
        let commands: Vec<_> = names
            .iter()
            .map(|name| vec!["add", "a.py", "--name", name.as_str(), "--directory", directory.as_str()])
            .collect();
        let done = at_once(&folder, &commands);
        let winners: Vec<_> =
            names.iter().zip(&done).filter(|(_, done)| done.code == 0).map(|(name, _)| name).collect();
        let [winner] = winners[..] else { panic!("{winners:?} won: {done:#?}") };
        for one in done.iter().filter(|one| one.code != 0) {
            assert!(one.code == 1 && one.stderr.contains(&format!("{winner:?}")), "not {winner:?}: {one:#?}");
        }
        let listed = folder.json(&["ls", "--directory", &directory, "--format", "json"]);
        let location = folder.path().canonicalize().unwrap().join(format!("{directory}/odd-{round}.prefect"));
        assert_eq!(listed["flows"], json!({ winner.as_str(): location }));
    }
}

/// A repeated build finds its flows there; so do builds of one spec at the same time.
#[test]
fn builds_of_one_spec_all_succeed() {
    let flows: String = (0..5).map(|n| format!("[[flows]]\npath = \"a.py\"\nname = \"Flow {n}\"\n")).collect();
    let folder = Folder::with_spec(&format!("[storage]\ndirectory = \"d\"\n{flows}"));
    folder.write("a.py", script("a"));
    for done in at_once(&folder, &vec![vec!["build"]; 6]) {
        done.ok();
    }
    assert_eq!(
        folder.json(&["ls", "--storage", "storage.json", "--format", "json"])["flows"].as_object().unwrap().len(),
        5
    );
    assert_eq!(folder.run(&["get", "Flow 4", "--directory", "d"]).ok().stdout, script("a"));
    assert_eq!(leftovers(&folder), [""; 0]);
}

/// A writer that waits for another can be interrupted, by the first signal.
#[test]
fn one_that_waits_can_be_interrupted() {
    let folder = Folder::with_spec("[storage]\ndirectory = \"d\"\n\n[[flows]]\npath = \"flow.py\"\n");
    folder.write("flow.py", "print('x')\n");
    fs::create_dir(folder.path().join("d")).unwrap();
    let other = fs::File::open(folder.path().join("d")).unwrap();
    other.lock().unwrap();
    let mut child = folder.command(&["build"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = |pid: u32| {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.split_whitespace().any(|word| word == pid.to_string()))
    };
    wait_for("it waits for the directory", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended, and had not the directory for itself");
        waits(child.id()).then_some(())
    });
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    wait_for("it ends", || child.try_wait().unwrap());
    Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted while adding flows"]);
    drop(other);
    assert!(leftovers(&folder).is_empty());
    folder.run(&["build"]).ok();
}

/// A build that is storing many flows can be interrupted; another build stores the rest.
#[test]
fn one_that_stores_many_can_be_interrupted() {
    const FLOWS: usize = 30_000;
    let flows: String = (0..FLOWS).map(|n| format!("[[flows]]\npath = \"a.py\"\nname = \"flow-{n}\"\n")).collect();
    let folder = Folder::with_spec(&format!("[storage]\ndirectory = \"d\"\n{flows}"));
    folder.write("a.py", "print('a')\n");
    let stored = || {
        let entries = fs::read_dir(folder.path().join("d")).into_iter().flatten();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "prefect")).count()
    };
    let child = folder.command(&["build"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("some are stored", || (stored() > 0).then_some(()));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted while adding flows"]);
    assert!(stored() < FLOWS && leftovers(&folder).is_empty());
    folder.run(&["build"]).ok();
    assert_eq!(stored(), FLOWS);
}

/// Four writers at a time are killed (kill -9) at random moments.
#[test]
fn what_a_killed_writer_had_reported_is_there() {
    const KILLS: usize = 240;
    let folder = Folder::new();
    let random = std::hash::RandomState::new();
    let mut names: Vec<String> = Vec::new();
    let mut reported: Vec<String> = Vec::new();
    let mut killed = 0;
    // The time of a writer that isn't killed: the moments of killing are spread over twice that time.
    folder.write("first.py", script("first"));
    let began = std::time::Instant::now();
    folder.run(&["add", "first.py", "--directory", "d"]).ok();
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap();
    while killed < KILLS {
        let round: Vec<_> = (0..4).map(|n| format!("Flow {}", names.len() + n)).collect();
        for name in &round {
            folder.write(&format!("{name}.py"), script(name));
        }
        thread::scope(|scope| {
            let running: Vec<_> = round
                .iter()
                .map(|name| {
                    let moment = std::hash::BuildHasher::hash_one(&random, name) % (2 * whole);
                    let folder = &folder;
                    scope.spawn(move || {
                        let mut command = folder.command(&["add", &format!("{name}.py"), "--directory", "d"]);
                        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
                        thread::sleep(std::time::Duration::from_micros(moment));
                        child.kill().unwrap();
                        (name, Done::of(child.wait_with_output().unwrap()))
                    })
                })
                .collect();
            for (name, done) in running.into_iter().map(|one| one.join().unwrap()) {
                killed += usize::from(done.code == -1);
                if done.stdout.ends_with('\n') {
                    reported.push(name.clone());
                }
            }
        });
        names.extend(round);
        // The next command works, and sees only whole flows under their names.
        let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
        let listed = listed["flows"].as_object().unwrap();
        for name in &reported {
            assert!(listed.contains_key(name), "{name} was reported, and is not in {listed:?}");
        }
        for (name, location) in listed.iter().filter(|(name, _)| *name != "first") {
            assert!(names.contains(name), "{name:?} is no name that was given");
            assert!(fs::read_to_string(location.as_str().unwrap()).unwrap() == script(name), "{name} is torn");
        }
    }
    assert!(reported.len() < names.len(), "none was killed before it was done");
    assert_eq!(leftovers(&folder), [""; 0], "after {killed} kills");
    // An add that was cut off can be repeated without repairing anything first.
    for name in &names {
        let done = folder.run(&["add", &format!("{name}.py"), "--directory", "d"]);
        assert!(done.code == 0 || done.stderr.contains("name conflict"), "{done:#?}");
        assert!(done.code != 0 || !reported.contains(name), "{name} was lost");
    }
    let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
    assert_eq!(listed["flows"].as_object().unwrap().len(), names.len() + 1);
}
