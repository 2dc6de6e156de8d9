//! `run` of flows that are in no image: environment, output, exit codes, timeout.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use flowhold_tests::{Done, Folder};

fn with_flow(script: &str) -> Folder {
    let folder = Folder::new();
    folder.write("flow.py", script);
    folder.run(&["add", "flow.py", "--directory", "d"]).ok();
    folder
}

#[test]
fn exit_codes_are_passed_on() {
    let cases = [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('a reason')", 1),
        ("1/0", 1),
        ("import os; os._exit(255)", 255),
        // 128 and the signal's number, as in a shell.
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ];
    for (script, code) in cases {
        let done = with_flow(script).run(&["run", "flow", "--directory", "d"]);
        assert_eq!(done.code, code, "{script}: {done:#?}");
    }
}

#[test]
fn output_is_passed_through_unchanged() {
    let script = "import sys\nprint('out \\x1b[31m é')\nsys.stdout.write('no line end')\nsys.stderr.write('err')\n";
    let done = with_flow(script).run(&["run", "flow", "--directory", "d"]).ok();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out \u{1b}[31m é\nno line end", "err"));
}

#[test]
fn a_script_is_run_as_the_main_program() {
    let script = "import sys, argparse\nargparse.ArgumentParser().parse_args()\n\
                  print(__name__, len(sys.argv), __file__ == sys.argv[0])\n";
    let done = with_flow(script).run(&["run", "flow", "--directory", "d"]).ok();
    assert_eq!(done.stdout, "__main__ 1 True\n");
}

#[test]
fn a_script_finds_what_is_beside_it() {
    let folder = with_flow("import helper\nprint(helper.WHO)\n");
    folder.write("d/helper.py", "WHO = 'helper'\n");
    assert_eq!(folder.run(&["run", "flow", "--directory", "d"]).ok().stdout, "helper\n");
}

#[test]
fn a_traceback_is_of_the_flow_alone() {
    let folder = with_flow("def divide(): 1/0\ndivide()\n");
    let said = folder.run(&["run", "flow", "--directory", "d"]).fails(1, &["ZeroDivisionError"]).stderr;
    let frames: Vec<_> = said.lines().filter(|line| line.starts_with("  File ")).collect();
    let [module, function] = frames.as_slice() else { panic!("{said}") };
    assert!(module.ends_with("/d/flow.prefect\", line 2, in <module>"), "{said}");
    assert!(function.ends_with("/d/flow.prefect\", line 1, in divide"), "{said}");
}

#[test]
fn environment_variables_reach_the_flow() {
    let folder = with_flow("import os\nprint(os.environ['A'], os.environ['B'], os.environ['C'])\n");
    let done =
        folder.run(&["run", "flow", "--directory", "d", "-e", "A=1", "-e", "B=x=y \"$HOME\"", "--env", "C="]).ok();
    assert_eq!(done.stdout, "1 x=y \"$HOME\" \n");
    // Variables of the environment need no value on the command line, where everybody may see it.
    let mut command = folder.command(&["run", "flow", "--directory", "d", "-e", "A", "-e", "B", "-e", "C=3"]);
    let done = Done::of(command.env("A", "from here").env("B", "").output().unwrap()).ok();
    assert_eq!(done.stdout, "from here  3\n");
    folder.run(&["run", "flow", "--directory", "d", "-e", "NO_SUCH"]).fails(2, &["NAME=VALUE", "NO_SUCH is not"]);
}

#[test]
fn a_flow_that_takes_too_long_is_ended() {
    // The child prints its id, so that the test can see whether it is gone.
    let folder = with_flow("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n");
    let done = folder.run(&["run", "flow", "--directory", "d", "--timeout", "2s"]).fails(75, &["2s", "--timeout"]);
    let process = std::path::Path::new("/proc").join(done.stdout.trim());
    assert!(!done.stdout.trim().is_empty() && !process.exists(), "{done:#?}");
}

#[test]
fn so_is_what_it_has_started() {
    let script = "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint(child.pid, flush=True)\n\
                  try:\n  child.wait()\nfinally:\n  child.kill()\n  child.wait()\n";
    let done = with_flow(script).run(&["run", "flow", "--directory", "d", "--timeout", "2s"]).fails(75, &["2s"]);
    let process = std::path::Path::new("/proc").join(done.stdout.trim());
    assert!(!done.stdout.trim().is_empty() && !process.exists(), "{done:#?}");
}

/// Starts the folder's flow apart from any terminal, and returns once the flow says that it has started.
fn started(folder: &Folder) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new("setsid");
    command.arg(flowhold_tests::binary()).args(["run", "flow", "--directory", "d"]);
    let mut child =
        command.current_dir(folder.path()).env("HOME", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    (child, output)
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// A signal to flowhold alone is passed on to the flow.
#[test]
fn an_interrupted_flow_can_clean_up() {
    let folder = with_flow(
        "import time\ntry:\n  print('started', flush=True)\n  time.sleep(600)\nfinally:\n  print('cleaned')\n",
    );
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (mut child, mut output) = started(&folder);
        send(signal, &child);
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("cleaned\n", Some(130)), "{signal}");
    }
}

#[test]
fn the_second_signal_kills_it() {
    let folder = with_flow(
        "import time\ntry:\n  print('started', flush=True)\n  time.sleep(600)\nfinally:\n  print('cleaning', flush=True)\n  \
         time.sleep(600)\n",
    );
    let (mut child, mut output) = started(&folder);
    send("-INT", &child);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "cleaning\n");
    send("-INT", &child);
    // The output ends with the flow, since no other process has the flow's stdout.
    assert_eq!(output.read_to_string(&mut line).unwrap(), 0);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A Python in a spec is relative to the spec's folder, a Python on the command line to the current directory.
#[test]
fn the_specs_python_runs_its_flows() {
    let folder = Folder::new();
    let python = folder.write("envs/mine", "#!/bin/sh\nMINE=yes exec python3 \"$@\"\n");
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder.write("sub/flow.py", "import os\nprint(os.environ.get('MINE'))\n");
    folder.write(
        "sub/flowhold.toml",
        "[storage]\ntype = \"local\"\ndirectory = \"d\"\npython = \"../envs/mine\"\n[[flows]]\npath = \"flow.py\"\n",
    );
    folder.run(&["build", "sub"]).ok();
    assert_eq!(folder.run(&["run", "flow", "-f", "sub/flowhold.toml"]).ok().stdout, "yes\n");
    assert_eq!(folder.run(&["run", "flow", "--directory", "sub/d"]).ok().stdout, "None\n");
    assert_eq!(folder.run(&["run", "flow", "-f", "sub/flowhold.toml", "--python", "python3"]).ok().stdout, "None\n");

    folder.write("sub/object.py", "def flow(): print('run')\n");
    folder
        .write("sub/object.toml", "[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"object.py\"\nobject = \"flow\"\n");
    for (python, found) in [("envs/none", "/envs/none"), ("../none", "/none")] {
        folder.run(&["check", "-f", "sub/object.toml", "--python", python]).fails(1, &[found]);
    }
    let from_here = folder.run(&["check", "-f", "sub/object.toml", "--python", "envs/mine"]);
    assert!(!from_here.stderr.contains("there is no Python"), "{from_here:#?}");
}

#[test]
fn flows_that_are_not_there() {
    let folder = with_flow("pass");
    folder.run(&["run", "flwo", "--directory", "d"]).fails(1, &["\"flwo\"", "it has flow"]);
    folder.run(&["run", "flow", "--directory", "empty"]).fails(1, &["\"flow\"", "no flows"]);
    folder.run(&["run", "flow"]).fails(1, &["\"flow\""]);
    folder.run(&["run", "flow", "--storage", "none.json"]).fails(1, &["none.json"]);
    folder.run(&["run", "flow", "-f", "other/flowhold.toml"]).fails(1, &["other/storage.json"]);
    folder.write("storage.json", r#"{"type": "Memory"}"#);
    folder.run(&["run", "flow", "-f", "misspelt.toml"]).fails(1, &["misspelt.toml: no such file"]);
    folder.run(&["push", "-f", "misspelt.toml"]).fails(1, &["misspelt.toml: no such file"]);
    folder.run(&["run", "flow", "-f", "d"]).fails(1, &["d: is a directory", "d/flowhold.toml"]);
    folder.run(&["run", "flow", "--directory", "d", "--python", "/no/python"]).fails(69, &["/no/python"]);
}
