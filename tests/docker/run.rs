//! `flowhold run`: a flow in a container of its image.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use flowhold_tests::Done;

use crate::{
    daemon::{containers, docker, send, wait_for, wait_until_clean},
    interrupt::SIGNALS,
    project::Project,
};

#[test]
fn exit_codes_and_streams_are_the_flows_own() {
    let scripts = [
        ("nothing", "", 0, "", ""),
        ("both", "import sys; print('out'); print('err', file=sys.stderr)", 0, "out\n", "err\n"),
        ("code", "import sys; sys.exit(42)", 42, "", ""),
        ("high", "import sys; sys.exit(255)", 255, "", ""),
        ("words", "import sys; sys.exit('so long')", 1, "", "so long\n"),
        ("raises", "raise ValueError('boom')", 1, "", "ValueError: boom\n"),
        // As process 1 of its container, the flow would ignore its own signal: there has to be an init.
        ("ended", "import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()", 143, "", ""),
        ("unicode", "print('žluť 🦀'); print('no end', end='')", 0, "žluť 🦀\nno end", ""),
        ("large", "print('x' * 1000000)", 0, &("x".repeat(1_000_000) + "\n"), ""),
        ("stdin", "import sys; print(repr(sys.stdin.read()))", 0, "''\n", ""),
    ];
    let flows: Vec<String> = scripts.iter().map(|(name, ..)| format!("path = \"{name}.py\"")).collect();
    let project = Project::new("", &flows.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, script, ..) in scripts {
        project.folder.write(&format!("{name}.py"), script);
    }
    project.build(&["--no-push"]);
    for (name, _, code, stdout, stderr) in scripts {
        let run = project.folder.run(&["run", name, "--timeout", "30s"]);
        assert_eq!((run.code, run.stdout.as_str()), (code, stdout), "{name}: {}", run.stderr);
        assert!(run.stderr.ends_with(stderr), "{name}: {}", run.stderr);
    }
    wait_until_clean(&project.name);
}

/// What a flow writes on both streams comes in whole lines, even if both go to one place.
#[test]
fn lines_stay_whole() {
    let script = "import sys\nfor i in range(300):\n    print('out', i, 'a', 'b')\n    print('err', i, 'a', 'b', file=sys.stderr)\n";
    let project = Project::of_script("", script);
    project.build(&["--no-push"]);
    let run = project.folder.command(&["run", "flow"]);
    let mut both = Command::new("sh");
    both.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(run.get_program()).args(run.get_args());
    both.current_dir(project.folder.path()).env("HOME", project.folder.path());
    let text = Done::of(both.output().unwrap()).ok().stdout;
    for stream in ["out", "err"] {
        let of_stream: Vec<_> = text.lines().filter(|line| line.starts_with(stream)).collect();
        let expected: Vec<_> = (0..300).map(|number| format!("{stream} {number} a b")).collect();
        assert_eq!(of_stream, expected);
    }
    assert_eq!(text.lines().count(), 600);
}

#[test]
fn lines_are_seen_while_the_flow_runs() {
    let project = Project::of_script("", include_str!("flows/waiting.py"));
    project.build(&["--no-push"]);
    let mut command = project.folder.command(&["run", "flow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let (mut line, mut aside) = (String::new(), String::new());
    stdout.read_line(&mut line).unwrap();
    stderr.read_line(&mut aside).unwrap();
    assert_eq!((line.as_str(), aside.as_str()), ("first\n", "first on the side\n"));

    // The flow waits for this file, so its lines have come before its end.
    let [container] = containers(&project.name).try_into().unwrap();
    docker(&["exec", &container, "touch", "/tmp/go"]).ok();
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "second\n");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    wait_until_clean(&project.name);
}

/// The flow prints more than a pipe holds, and nobody reads it.
#[test]
fn a_reader_that_does_not_read_stops_no_timeout() {
    let project = Project::of_script("", "print('x' * 1_000_000)\nwhile True:\n    pass\n");
    project.build(&["--no-push"]);
    let command = project.folder.command(&["run", "flow", "--timeout", "3s"]);
    let mut both = Command::new("sh");
    both.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(command.get_program()).args(command.get_args());
    both.current_dir(project.folder.path()).env("HOME", project.folder.path());
    for mut command in [command, both] {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(wait_for("its end", || child.try_wait().unwrap()).code(), Some(75));
        assert_eq!(containers(&project.name), [""; 0]);
    }
}

#[test]
fn a_flow_that_takes_too_long_is_stopped() {
    let project = Project::of_script("", include_str!("flows/sleeping.py"));
    project.build(&["--no-push"]);
    let run = project.folder.run(&["run", "flow", "--timeout", "2s"]).fails(75, &["2", "--timeout"]);
    assert_eq!(run.stdout, "sleeping\n");
    assert_eq!(containers(&project.name), [""; 0]);
    // A timeout that is long enough changes nothing.
    let quick = Project::of_script("", "raise SystemExit(4)");
    quick.build(&["--no-push"]);
    assert_eq!(quick.folder.run(&["run", "flow", "--timeout", "10m"]).code, 4);
    quick.folder.run(&["run", "flow", "--timeout", "soon"]).fails(2, &["soon"]);
}

/// A full disk under the output is not the daemon's fault, as with every command.
#[test]
fn output_that_has_no_room_is_an_error_of_its_own() {
    let project = Project::of_script("", "print('x')");
    project.build(&["--no-push"]);
    let mut command = project.folder.command(&["run", "flow"]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let done = Done::of(command.output().unwrap()).fails(1, &["no space left on device", "make room"]);
    assert!(!done.stderr.contains("daemon"), "{done:?}");
    assert_eq!(containers(&project.name), [""; 0]);
}

#[test]
fn a_signal_stops_the_flow_and_removes_its_container() {
    let project = Project::of_script("", include_str!("flows/sleeping.py"));
    project.build(&["--no-push"]);
    for signal in ["-INT", "-TERM"] {
        let mut command = project.folder.command(&["run", "flow"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "sleeping\n");
        assert_eq!(containers(&project.name).len(), 1);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
        assert_eq!(containers(&project.name), [""; 0], "{signal}");
    }
}

/// A flow that says that it has started, and takes some seconds to clean up.
fn cleaning(seconds: u32) -> Project {
    let script = format!(
        "import time\nprint('started', flush=True)\ntry:\n    time.sleep(600)\nfinally:\n    print('cleaning', flush=True)\n    \
         time.sleep({seconds})\n    print('cleaned')\n"
    );
    let project = Project::of_script("", &script);
    project.build(&["--no-push"]);
    project
}

#[test]
fn a_flow_can_clean_up() {
    let project = cleaning(2);
    let run = project.folder.run(&["run", "flow", "--timeout", "3s"]).fails(75, &["--timeout", "KeyboardInterrupt"]);
    assert_eq!(run.stdout, "started\ncleaning\ncleaned\n");
    assert_eq!(containers(&project.name), [""; 0]);
    for signal in SIGNALS {
        let mut child = project.watched(&["run", "flow"]).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = String::new();
        output.read_line(&mut lines).unwrap();
        send(signal, child.id());
        output.read_to_string(&mut lines).unwrap();
        assert_eq!(lines, "started\ncleaning\ncleaned\n", "{signal}");
        Done::of(child.wait_with_output().unwrap()).fails(130, &["has 10 seconds to clean up", "interrupted"]);
        assert_eq!(containers(&project.name), [""; 0], "{signal}");
    }
}

#[test]
fn what_cleans_up_for_too_long_is_killed_and_so_it_is_by_a_second_signal() {
    let project = cleaning(600);
    let run = project.folder.run(&["run", "flow", "--timeout", "3s"]).fails(75, &["--timeout"]);
    assert_eq!(run.stdout, "started\ncleaning\n");
    assert_eq!(containers(&project.name), [""; 0]);

    let mut child = project.watched(&["run", "flow"]).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for expected in ["started\n", "cleaning\n"] {
        line.clear();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, expected);
        send("-INT", child.id());
    }
    // The daemon alone would have killed the container only after the 10 seconds, and would not have removed it.
    Done::of(child.wait_with_output().unwrap()).fails(130, &["interrupted"]);
    assert_eq!(containers(&project.name), [""; 0]);
}

#[test]
fn an_unknown_flow_is_told_with_those_that_are_there() {
    let project = Project::of_script("", "print('x')");
    project.build(&["--no-push"]);
    project.folder.run(&["run", "other"]).fails(1, &["\"other\"", "flow"]);
    // A location names the flow, too.
    project.folder.run(&["run", "/root/.prefect/flow.prefect"]).ok();
    wait_for("nothing is left", || containers(&project.name).is_empty().then_some(()));
}
