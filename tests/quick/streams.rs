//! stdout is the result and nothing else, stderr is for people; neither has colours unless it is a terminal.

use std::process::Stdio;

use flowhold_tests::{Done, Folder};

fn folder() -> Folder {
    let folder = Folder::with_spec(
        "[storage]\ntype = \"docker\"\nbase_image = \"python\"\npython_dependencies = [\"a\", \"a\"]\n[[flows]]\npath = \"a.py\"\n",
    );
    folder.write("a.py", "x");
    folder
}

/// Commands that print a result on stdout, with warnings for people on stderr.
const RESULTS: &[&[&str]] = &[
    &["preview"],
    &["preview", "--format", "json"],
    &["preview", "--format", "spec"],
    &["preview", "--format", "context"],
    &["check", "--format", "json"],
    &["serialize", "flowhold.toml"],
    &["serialize", "flowhold.toml", "--to", "snapshot"],
    &["completions", "bash"],
    &["ls", "--format", "json"],
    &["--help"],
    &["--version"],
];

#[test]
fn warnings_are_on_stderr() {
    let folder = folder();
    for arguments in &RESULTS[..4] {
        let done = folder.run(arguments).ok();
        assert!(done.stderr.contains("warning[repeated-requirement]"), "{done:#?}");
        assert!(!done.stdout.contains("warning["), "{done:#?}");
    }
    for arguments in [RESULTS[1], RESULTS[2], RESULTS[4], RESULTS[5], RESULTS[8]] {
        folder.json(arguments);
    }
    // An error leaves nothing on stdout.
    folder.write("flowhold.toml", "[storage]\ntype = \"dokcer\"\n");
    for arguments in [RESULTS[0], RESULTS[2], RESULTS[3], RESULTS[5], &["build"], &["dockerfile", "out"]] {
        assert_eq!(folder.run(arguments).fails(1, &["dokcer"]).stdout, "", "{arguments:?}");
    }
}

/// With `--progress json`, all of stderr is JSON: warnings, errors, notes.
#[test]
fn for_programs_stderr_is_json() {
    let docker = |more: &str| format!("[storage]\ntype = \"docker\"\nbase_url = \"tcp://localhost:1\"\n{more}");
    for (spec, events) in [
        (docker(""), &["diagnostic", "diagnostic", "error"][..]),
        (docker("imagename = \"a\"\n"), &["diagnostic"]),
        ("[storage]\ntype = \"memory\"\n[[flows]]\npath = \"none.py\"\n".to_owned(), &["diagnostic"]),
        ("[storage]\ntype = \"memory\"\n".to_owned(), &["diagnostic", "message"]),
    ] {
        let folder = Folder::with_spec(&spec);
        let done = folder.run(&["build", "--progress", "json"]);
        let lines = done.stderr.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let told: Vec<_> = lines.map(|line| line["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, events, "{done:#?}");
    }
    let done = Folder::new().run(&["run", "a", "-f", "none.toml", "--progress", "json"]);
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!((&error["event"], &error["code"]), (&"error".into(), &"missing-file".into()), "{done:#?}");
}

#[test]
fn there_are_no_colours_in_pipes() {
    let folder = folder();
    let failing: &[&[&str]] = &[&["bogus"], &["run", "none"], &["add", "none.py"], &["check", "-f", "none"]];
    for arguments in RESULTS.iter().chain(failing) {
        // There are no colours, whatever the environment says of a terminal that is not there.
        let mut command = folder.command(arguments);
        let done = Done::of(command.env("TERM", "xterm-256color").output().unwrap());
        assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{arguments:?}: {done:#?}");
    }
}

#[test]
fn there_are_colours_on_terminals_that_have_them() {
    let folder = folder();
    folder.write("flowhold.toml", "[storage]\ntype = 1\n");
    let on = |variables: &str| {
        let command = format!("env {variables} \"$FLOWHOLD_BIN\" check");
        let mut terminal = std::process::Command::new("script");
        terminal.args(["-qec", &command, "/dev/null"]).current_dir(folder.path());
        String::from_utf8(terminal.output().unwrap().stdout).unwrap()
    };
    assert!(on("TERM=xterm NO_COLOR=").contains("\u{1b}[1;31merror"));
    for variables in ["TERM=dumb NO_COLOR=", "-u TERM NO_COLOR=", "TERM=xterm NO_COLOR=1"] {
        let said = on(variables);
        assert!(said.contains("error[wrong-type]") && !said.contains('\u{1b}'), "{variables}: {said}");
    }
}

/// As in `flowhold … | head -0`.
#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let folder = folder();
    folder.write("big.py", "#".repeat(1 << 20));
    folder.run(&["add", "big.py"]).ok();
    for arguments in RESULTS.iter().copied().chain([["get", "big"].as_slice()]) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = Done::of(folder.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap());
        assert_eq!(done.code, 0, "{arguments:?}: {done:#?}");
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("roken pipe"), "{arguments:?}: {done:#?}");
    }
}

#[test]
fn nobody_to_tell_is_no_error_either() {
    let folder = folder();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = Done::of(folder.command(&["preview"]).stderr(writer).stdout(Stdio::piped()).output().unwrap());
    assert!(done.code == 0 && done.stdout.starts_with("FROM "), "{done:#?}");
}

/// However slowly stderr is read, the reader gets everything, in order.
#[test]
fn a_slow_reader_gets_everything() {
    let requirements = vec!["\"six\""; 2500].join(", ");
    let folder = Folder::with_spec(&format!(
        "[storage]\ntype = \"docker\"\npython_dependencies = [{requirements}]\n[[flows]]\npath = \"etl.py\"\n"
    ));
    folder.write("etl.py", "x");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = folder.command(&["check"]);
    let mut child = command.stderr(writer.try_clone().unwrap()).stdout(writer).spawn().unwrap();
    drop(command);
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while let length @ 1.. = std::io::Read::read(&mut reader, &mut piece).unwrap() {
        all.extend_from_slice(&piece[..length]);
        std::thread::sleep(std::time::Duration::from_millis(60));
    }
    assert!(child.wait().unwrap().success());
    let all = String::from_utf8(all).unwrap();
    let told: Vec<_> = all.lines().filter_map(|line| line.split_once(" (storage.python_dependencies[")).collect();
    let expected: Vec<_> = (1..2500).map(|number| format!("{number}])")).collect();
    assert_eq!(told.iter().map(|(_, field)| *field).collect::<Vec<_>>(), expected);
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = folder();
    for arguments in RESULTS.iter().filter(|arguments| !arguments[0].starts_with('-')) {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let done = Done::of(folder.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap());
        done.fails(1, &["no space left on device"]);
    }
}
