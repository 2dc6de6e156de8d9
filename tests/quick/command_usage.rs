//! The command line itself: usage errors, help, completions.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use flowhold_tests::{Done, Folder};

/// Every command.
const COMMANDS: &[&str] = &[
    "init",
    "preview",
    "check",
    "build",
    "dockerfile",
    "run",
    "add",
    "ls",
    "get",
    "contains",
    "serialize",
    "push",
    "pull",
    "component",
    "completions",
];

#[test]
fn usage_errors_are_2_and_print_no_result() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage:"),
        (&["bogus"], "unrecognized subcommand 'bogus'"),
        (&["preveiw"], "'preview'"),
        (&["preview", "--format", "nope"], "[possible values: dockerfile, json, context, spec]"),
        (&["check", "--format", "nope"], "[possible values: human, json]"),
        (&["check", "stray"], "unexpected argument 'stray'"),
        (&["run"], "<FLOW>"),
        (&["run", "etl", "-e", "=1"], "NAME=VALUE"),
        (&["run", "etl", "-e", "MODE"], "NAME=VALUE"),
        (&["run", "etl", "--timeout", "soon"], "--timeout"),
        (&["run", "etl", "--storage", "s.json", "--directory", "d"], "cannot be used with"),
        (&["ls", "--storage", "s.json", "--directory", "d"], "cannot be used with"),
        (&["serialize", "x", "--to", "pickle"], "[possible values: json, snapshot]"),
        (&["build", "--progress", "loud"], "[possible values: auto, plain, json, none]"),
        (&["completions", "cmd"], "bash"),
    ];
    let folder = Folder::new();
    for (arguments, words) in cases {
        let done = folder.run(arguments).fails(2, &[words]);
        assert_eq!(done.stdout, "", "{arguments:?}");
    }
}

#[test]
fn every_command_is_in_the_help_and_has_its_own() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]).ok().stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Longer descriptions continue on lines that are indented further.
    let listed = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()));
    let mut listed: Vec<_> = listed.filter(|command| *command != "help").collect();
    let mut commands = COMMANDS.to_vec();
    listed.sort_unstable();
    commands.sort_unstable();
    assert_eq!(listed, commands, "{help}");
    for command in COMMANDS {
        let own = folder.run(&[command, "--help"]).ok().stdout;
        assert!(own.contains("Usage:") && own.contains(command), "{own}");
    }
}

#[test]
fn completions_name_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.run(&["completions", shell]).ok();
        assert_eq!(script.stderr, "", "{shell}");
        for command in COMMANDS {
            assert!(script.stdout.contains(command), "{shell}: {command}");
        }
    }
    // A syntax error in the script would break the shell of everyone who loads it.
    let script = folder.run(&["completions", "bash"]).ok().stdout;
    let path = folder.write("flowhold.bash", script);
    let checked = std::process::Command::new("bash").arg("-n").arg(path).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn names_that_are_no_text() {
    let folder = Folder::new();
    folder.write("a.py", "pass");
    let with = |arguments: &[&str], name: &[u8]| {
        let mut command = folder.command(arguments);
        Done::of(command.arg(OsStr::from_bytes(name)).output().unwrap())
    };
    for command in [["add", "a.py"].as_slice(), &["ls"], &["get", "a"], &["contains", "a"], &["run", "a"]] {
        with(&[command, &["--directory"]].concat(), b"d\xff").fails(1, &["not Unicode"]);
    }
    with(&["component", "--format", "json", "-o"], b"x\xff.wasm").ok();
}
