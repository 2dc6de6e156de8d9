//! The scripts in a real Python: how flows are pickled, run, and checked in images.

use std::{
    fs, io,
    path::Path,
    process::{Command, Output},
    sync::LazyLock,
    time::Duration,
};

use tempfile::TempDir;

use super::*;
use crate::inputs::Inputs;

const RUNNER: &str = include_str!("../../../core/src/runner.py");
const HEALTH_CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/health_check.py");

/// A virtual environment with cloudpickle, made once and kept beside the test binary.
pub(super) static PYTHON: LazyLock<Interpreter> = LazyLock::new(|| {
    let home = std::env::current_exe().unwrap().with_file_name("test-python");
    if !home.is_dir() {
        let making = home.with_file_name(format!("test-python-{}", std::process::id()));
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&making));
        succeed(Command::new(making.join("bin/python")).args(["-m", "pip", "install", "-q", "cloudpickle"]));
        if fs::rename(&making, &home).is_err() {
            fs::remove_dir_all(&making).unwrap(); // another process was faster
        }
    }
    Interpreter::find(Some("bin/python"), &home).unwrap()
});

pub(super) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

pub(super) fn requests(folder: &TempDir, wanted: &[(&str, &str)]) -> Vec<PickleRequest> {
    let request =
        |(file, object): &(&str, &str)| PickleRequest { file: folder.path().join(file), object: (*object).to_owned() };
    wanted.iter().map(request).collect()
}

/// Pickles one object of one file; the folder holds the pickle.
async fn pickle(source: &str, object: &str) -> (TempDir, Result<Pickled, PythonError>) {
    let folder = folder(&[("flows.py", source)]);
    let result =
        PYTHON.pickle(&requests(&folder, &[("flows.py", object)]), folder.path(), &mut Inputs::default()).await;
    (folder, result.map(|(_, mut pickled)| pickled.remove(0)))
}

/// What an interpreter says of itself.
pub(super) async fn facts(python: &Interpreter) -> Result<PythonFacts, PythonError> {
    Ok(python.pickle(&[], Path::new(""), &mut Inputs::default()).await?.0)
}

async fn refusal(source: &str, object: &str) -> PythonError {
    pickle(source, object).await.1.unwrap_err()
}

pub(super) fn run(pickled: &Pickled) -> Output {
    Command::new(PYTHON.program()).args(["-u", "-c", RUNNER]).arg(&pickled.content).output().unwrap()
}

pub(super) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The error about a program of this text that is taken for the interpreter.
async fn facts_of(script: &str) -> PythonError {
    let folder = folder(&[("text", script)]);
    // Written by another process: a program that this process, or a child of another test, has open for writing can't
    // be started.
    succeed(Command::new("install").args(["text", "python"]).current_dir(folder.path()));
    let python = Interpreter::find(Some("./python"), folder.path()).unwrap();
    facts(&python).await.unwrap_err()
}

#[tokio::test]
async fn facts_are_what_the_packages_themselves_say() {
    let facts = facts(&PYTHON).await.unwrap();
    let code = "import sys, cloudpickle; print(*sys.version_info[:2], sep='.'); print(cloudpickle.__version__)";
    let said = printed(&succeed(Command::new(PYTHON.program()).args(["-c", code])));
    assert_eq!(format!("{}\n{}", facts.version, facts.cloudpickle.unwrap()), said);
    assert_eq!(facts.prefect, None);
}

#[tokio::test]
async fn a_program_that_is_no_python_is_refused_with_its_own_last_line() {
    let error = facts_of("#!/bin/sh\necho 'no snakes here' >&2\necho >&2\nexit 3\n").await;
    let PythonError::Unusable { last_line, .. } = &error else { panic!("{error}") };
    assert_eq!(last_line, "no snakes here (exit status: 3)");
    let error = facts_of("neither a script nor a program").await;
    assert!(matches!(error, PythonError::Unusable { .. }), "{error}");
    let error = facts_of("#!/bin/sh\nexit 0\n").await;
    assert!(error.to_string().ends_with("it said nothing (exit status: 0)"), "{error}");
}

#[tokio::test]
async fn without_cloudpickle_the_error_holds_the_command() {
    let folder = folder(&[("flows.py", "def flow(): pass\n")]);
    succeed(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(folder.path().join("bare")));
    let python = Interpreter::find(Some("bare/bin/python"), folder.path()).unwrap();
    let error = python
        .pickle(&requests(&folder, &[("flows.py", "flow")]), folder.path(), &mut Inputs::default())
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("ModuleNotFoundError: No module named 'cloudpickle'"), "{error}");
    let command = format!("run: {} -m pip install cloudpickle", python.program().display());
    assert_eq!(error.help(), Some(command));
}

#[tokio::test]
async fn what_a_file_defines_travels_with_the_flow() {
    let source = "
from __future__ import annotations
import dataclasses, sys
print('noise on stdout')
assert sys.argv == [__file__]
UNIT = 'rows'
@dataclasses.dataclass
class Result:
    count: int
def extract():
    return Result(3)
class Flow:
    name = 'étl'
    def run(self):
        print(extract().count, UNIT)
class Holder:
    flow = Flow()
if __name__ == '__main__':
    raise SystemExit('must not run')
";
    let (_folder, pickled) = pickle(source, "Holder.flow").await;
    let pickled = pickled.unwrap();
    assert_eq!(pickled.name.as_deref(), Some("étl"));
    assert_eq!(printed(&run(&pickled)), "3 rows");
}

#[tokio::test]
async fn a_flow_knows_its_file_and_its_source() {
    let reads = "def flow():\n  def inner(): return __file__\n  print(inner())\n";
    let (folder, pickled) = pickle(reads, "flow").await;
    assert_eq!(printed(&run(&pickled.unwrap())), folder.path().join("flows.py").to_str().unwrap());
    let source = "def flow(): print(SOURCE)\nimport inspect\nSOURCE = inspect.getsource(flow)\n";
    let (_folder, pickled) = pickle(source, "flow").await;
    assert_eq!(printed(&run(&pickled.unwrap())), "def flow(): print(SOURCE)");
}

#[tokio::test]
async fn each_file_is_executed_once_with_the_modules_of_its_own_folder() {
    let flows = "
import helper
print('executing', helper.WHO)
def one(who=helper.WHO): print('one of', who)
def two(who=helper.WHO): print('two of', who)
";
    let files = [("a/f.py", flows), ("a/helper.py", "WHO = 'a'"), ("b/f.py", flows), ("b/helper.py", "WHO = 'b'")];
    let folder = folder(&files);
    let (lines, mut heard) = tokio::sync::mpsc::channel(8);
    let wanted = [("a/f.py", "one"), ("b/f.py", "two"), ("a/f.py", "two")];
    let python = PYTHON.clone().printing_to(lines);
    let pickled = python.pickle(&requests(&folder, &wanted), folder.path(), &mut Inputs::default()).await.unwrap().1;
    drop(python);
    let mut all = Vec::new();
    while let Some(line) = heard.recv().await {
        all.push(line);
    }
    assert_eq!(all, ["executing a", "executing b"]);
    let outputs: Vec<_> = pickled.iter().map(|flow| printed(&run(flow))).collect();
    assert_eq!(outputs, ["one of a", "two of b", "two of a"]);
    assert_eq!(pickled[2].content, folder.path().join("2.pickle"));
    assert_eq!(pickled[2].name, None);
}

/// A folder may be one of `files`, and planning must not change it.
#[tokio::test]
async fn no_bytecode_is_written_into_the_users_folders() {
    let folder = folder(&[("flows.py", "import beside\ndef flow(): return beside.x\n"), ("beside.py", "x = 1\n")]);
    let wanted = requests(&folder, &[("flows.py", "flow")]);
    PYTHON.pickle(&wanted, folder.path(), &mut Inputs::default()).await.unwrap();
    assert!(!folder.path().join("__pycache__").exists());
}

#[tokio::test]
async fn what_one_file_does_reaches_no_other() {
    let flows = "
import os, sys, cloudpickle, types
folder = os.path.dirname(__file__)
sys.path.insert(0, folder + '/lib')
import settings, helper
seen = [settings.WHO, settings.helper is helper, os.environ.get('MODE'), os.getcwd()]
seen += cloudpickle.list_registry_pickle_by_value()
os.environ['MODE'] = folder
os.chdir(folder)
cloudpickle.register_pickle_by_value(settings)
def flow(seen=seen): print(seen)
";
    let settings = |who| format!("import helper\nWHO = '{who}'\n");
    let folder = folder(&[
        ("a/f.py", flows),
        ("a/lib/settings.py", &settings("a")),
        ("a/lib/helper.py", ""),
        ("b/f.py", flows),
        ("b/lib/settings.py", &settings("b")),
        ("b/helper.py", ""),
    ]);
    let both = requests(&folder, &[("a/f.py", "flow"), ("b/f.py", "flow")]);
    let mut bytes = Vec::new();
    for wanted in [&both[..], &both[..1], &both[1..]] {
        let pickled = PYTHON.pickle(wanted, folder.path(), &mut Inputs::default()).await.unwrap().1;
        bytes.extend(pickled.iter().map(|flow| fs::read(&flow.content).unwrap()));
    }
    assert_ne!(bytes[0], bytes[1]);
    assert_eq!(bytes[..2], bytes[2..]);
}

/// Packages that they import alike are imported once, and yet none finds what another has imported or set.
#[tokio::test]
async fn files_share_nothing_but_what_they_import_first() {
    let plain = "import logging\nimport decimal\nthird = decimal.Decimal(1) / 3\n\
                 def flow(): print(len(logging.getLogger('x').handlers), third)\n";
    let folder = folder(&[
        ("plain.py", plain),
        ("more.py", "import logging\nimport logging.handlers\ndef flow(): print('more')\n"),
        ("sets.py", "import logging\nimport decimal\ndecimal.getcontext().prec = 3\ndef flow(): print('sets')\n"),
        ("none.py", "def flow(): print('none')\n"),
        ("beside/plain.py", plain),
        ("beside/decimal.py", "def Decimal(number): return 3 * number\n"),
    ]);
    let names = ["sets.py", "more.py", "none.py", "beside/plain.py", "plain.py"];
    let wanted = requests(&folder, &names.map(|name| (name, "flow")));
    let mut bytes = Vec::new();
    for wanted in std::iter::once(&wanted[..]).chain(wanted.chunks(1)) {
        let pickled = PYTHON.pickle(wanted, folder.path(), &mut Inputs::default()).await.unwrap().1;
        bytes.extend(pickled.iter().map(|flow| (printed(&run(flow)), fs::read(&flow.content).unwrap())));
    }
    let (together, alone) = bytes.split_at(names.len());
    assert_eq!(together, alone);
    let said: Vec<_> = together.iter().map(|(said, _)| said.as_str()).collect();
    assert_eq!(said, ["sets", "more", "none", "0 1.0", "0 0.3333333333333333333333333333"]);
}

/// Prefect's own `get_flow`, and the workers of Dask, know nothing of us.
#[tokio::test]
async fn whoever_loads_a_flow_has_the_module_that_it_says_it_is_of() {
    let source = "
from __future__ import annotations
import dataclasses, typing
@dataclasses.dataclass
class Point:
    x: int
def flow():
    @dataclasses.dataclass
    class Other:
        y: int
    print(typing.get_type_hints(Point), Other(2).y, __name__)
";
    let (_folder, pickled) = pickle(source, "flow").await;
    let pickled = pickled.unwrap();
    let loads = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))()";
    let plainly = Command::new(PYTHON.program()).args(["-c", loads]).arg(&pickled.content).output().unwrap();
    let expected = "{'x': <class 'int'>} 2 __main__";
    assert_eq!((printed(&plainly), printed(&run(&pickled))), (expected.to_owned(), expected.to_owned()));
}

#[tokio::test]
async fn the_same_file_gives_the_same_bytes_in_every_run_and_folder() {
    let source = "
class A: tags = {'x', 'yy', 'zzz', 'four', 'fives'}
class B(A): pass
def other(): return B
def flow(): return A, B, other
";
    let (first, second) = (folder(&[("flows.py", source)]), folder(&[("deep/flows.py", source)]));
    let alone = requests(&first, &[("flows.py", "flow")]);
    let behind = requests(&second, &[("deep/flows.py", "other"), ("deep/flows.py", "flow")]);
    let alone = PYTHON.pickle(&alone, first.path(), &mut Inputs::default()).await.unwrap().1;
    let behind = PYTHON.pickle(&behind, second.path(), &mut Inputs::default()).await.unwrap().1;
    let bytes = fs::read(&alone[0].content).unwrap();
    assert!(bytes == fs::read(&behind[1].content).unwrap());
    let folder = first.path().file_name().unwrap().to_str().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(folder), "the pickle tells where the file is");
}

#[tokio::test]
async fn what_makes_pickles_stable_stays_out_of_them() {
    let source = "from uuid import uuid4\nRANDOM = uuid4()\ndef flow(): print(uuid4() != uuid4(), RANDOM)\n";
    let (_folder, first) = pickle(source, "flow").await;
    let (_folder_too, second) = pickle(source, "flow").await;
    let (first, second) = (first.unwrap(), second.unwrap());
    let bytes = fs::read(&first.content).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("StableIds"));
    let (one, other) = (printed(&run(&first)), printed(&run(&second)));
    assert!(one.starts_with("True ") && one != other, "the user's own ids must stay random: {one} {other}");
}

#[tokio::test]
async fn what_prints_waits_for_whoever_reads() {
    let folder = folder(&[("f.py", "for number in range(20000): print(number)\ndef flow(): pass\n")]);
    let (lines, mut heard) = tokio::sync::mpsc::channel(1);
    let (python, wanted) = (PYTHON.clone().printing_to(lines), requests(&folder, &[("f.py", "flow")]));
    let (pickled, all) = tokio::join!(
        async {
            let mut inputs = Inputs::default();
            let pickled = python.pickle(&wanted, folder.path(), &mut inputs).await;
            drop(python);
            pickled
        },
        async {
            let mut all = Vec::new();
            while let Some(line) = heard.recv().await {
                // Python has ended long before all is read.
                if all.len() > 19_960 {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                all.push(line);
            }
            all
        }
    );
    assert!(pickled.is_ok());
    assert!(all.len() == 20000 && all.iter().enumerate().all(|(number, line)| *line == number.to_string()));
}

#[tokio::test]
async fn what_ends_a_file_is_in_the_error() {
    let table = [
        ("x = 1\nimport no_such\n", Some(2), "ModuleNotFoundError: No module named 'no_such'"),
        ("def f():\n  raise ValueError('a\\nb')\nf()\n", Some(2), "ValueError: a b"),
        ("import sys\nsys.exit(0)\n", Some(2), "SystemExit: 0"),
        ("raise KeyboardInterrupt\n", Some(1), "KeyboardInterrupt"),
        // A surrogate, as in the name of a file that is not UTF-8.
        ("raise ValueError('é \\udce9')\n", Some(1), "ValueError: é ?"),
        ("input()\n", Some(1), "EOFError: EOF when reading a line"),
        // The line is that of the user's file, wherever the error was raised.
        ("import json\njson.loads('')\n", Some(2), "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("\nraise SyntaxError('x', ('other.py', 7, 1, ''))\n", Some(2), "SyntaxError: x (other.py, line 7)"),
    ];
    for (source, at, cause) in table {
        let error = refusal(source, "flow").await;
        assert!(error.help().is_some());
        assert_eq!(error.request(), Some(0));
        let PythonError::Import { line, last_line, .. } = error else { panic!("{source}: {error}") };
        assert_eq!((line, last_line.as_str()), (at, cause), "{source}");
    }
    for (source, at) in [("x = (\n", 1), ("import sys\nfrom __future__ import annotations\n", 2)] {
        let error = refusal(source, "flow").await;
        assert!(matches!(&error, PythonError::Import { line: Some(line), .. } if *line == at), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_kills_python_is_named() {
    for (source, ending) in [
        ("import os, sys\nprint('so long', file=sys.stderr)\nos.kill(os.getpid(), 9)\n", "signal: 9 (SIGKILL)"),
        ("import os, sys\nprint('so long', file=sys.stderr)\nos._exit(0)\n", "exit status: 0"),
    ] {
        let folder = folder(&[("good.py", "def flow(): pass\n"), ("bad.py", source)]);
        let wanted = requests(&folder, &[("good.py", "flow"), ("bad.py", "flow")]);
        let error = PYTHON.pickle(&wanted, folder.path(), &mut Inputs::default()).await.unwrap_err();
        assert_eq!(error.request(), Some(1));
        let file = folder.path().join("bad.py");
        let expected = format!("Python died while it pickled {} ({ending}): so long", file.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn objects_that_are_no_flows_are_told_apart() {
    let source = "class Flow:\n  def run(self): pass\ndaily = Flow()\nnumber = 3\n";
    let error = refusal(source, "dialy").await;
    assert!(matches!(error, PythonError::NoObject { .. }), "{error}");
    assert_eq!(error.help().as_deref(), Some("there is \"daily\""));
    let error = refusal(source, "daily.none").await;
    assert!(error.to_string().ends_with("AttributeError: 'Flow' object has no attribute 'none'"), "{error}");
    let error = refusal(source, "number").await;
    assert!(error.to_string().contains("can't be run: its type \"int\" has no run()"), "{error}");
    assert_eq!(error.help().as_deref(), Some("there is \"daily\""));
    let error = refusal(source, "Flow").await;
    assert!(error.to_string().ends_with("can't be run: it is a class"), "{error}");
    assert_eq!(error.help().as_deref(), Some("there is \"daily\""));
    for source in ["def flow(a, *b, c, d=1, **e): pass", "class Flow:\n  def run(self, a, *, c): pass\nflow = Flow()\n"]
    {
        let error = refusal(source, "flow").await;
        assert!(error.to_string().contains("it needs the argument a and c, and a flow is run without any"), "{error}");
    }
    let error = refusal("import threading\nlock = threading.Lock()\ndef flow(): lock.locked()\n", "flow").await;
    let PythonError::NotPicklable { part, last_line, .. } = &error else { panic!("{error}") };
    assert_eq!(part, "flow -> lock");
    assert!(last_line.starts_with("TypeError: cannot pickle '_thread.lock' object"), "{error}");
    let source = "
import threading
class Part:
    def __init__(self): self.lock = threading.Lock()
class Flow:
    def __init__(self): self.parts = [1, Part()]
    def run(self): pass
flow = Flow()
";
    let error = refusal(source, "flow").await;
    assert!(matches!(&error, PythonError::NotPicklable { part, .. } if part == "flow.parts[1].lock"), "{error}");
    let folder = folder(&[]);
    let missing = requests(&folder, &[("none.py", "flow")]);
    let error = PYTHON.pickle(&missing, folder.path(), &mut Inputs::default()).await.unwrap_err();
    assert!(matches!(error, PythonError::Unreadable { request: 0, .. }), "{error}");
}

#[tokio::test]
async fn neither_noise_nor_processes_left_behind_hold_up_the_answer() {
    let source = "
import subprocess, sys, threading, time
sys.stdout.write('flowhold-answer {\"kind\": \"done\"}\\n' + 'x' * 3000000)
sys.stdout.close()
threading.Thread(target=time.sleep, args=(3600,)).start()
CHILD = subprocess.Popen(['sleep', '3600']).pid
def flow(pid=CHILD):
    import os
    os.kill(pid, 15)
    print('stopped')
";
    let (_folder, pickled) = pickle(source, "flow").await;
    assert_eq!(printed(&run(&pickled.unwrap())), "stopped");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_file_has_started_and_put_down_is_gone() {
    let source = "
import multiprocessing, tempfile
folder = tempfile.TemporaryDirectory()
manager = multiprocessing.Manager()
made = folder.name, manager._process.pid
def flow(made=made): print(*made)
";
    let (_folder, pickled) = pickle(source, "flow").await;
    let told = printed(&run(&pickled.unwrap()));
    let (folder, process) = told.split_once(' ').unwrap();
    assert!(!Path::new(folder).exists() && !Path::new("/proc").join(process).exists(), "{told}");
    // A process that does not end keeps nobody waiting.
    let source = "
import multiprocessing, time
multiprocessing.get_context('fork').Process(target=time.sleep, args=[3]).start()
def flow(): print('ready')
";
    let (_folder, pickled) = pickle(source, "flow").await;
    assert_eq!(printed(&run(&pickled.unwrap())), "ready");
}

#[tokio::test]
async fn an_async_flow_can_clean_up() {
    let source = "
import asyncio, os, signal
async def other():
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0)
        print('other has cleaned up')
async def flow():
    task = asyncio.ensure_future(other())
    asyncio.get_event_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0)
        print('flow has cleaned up')
";
    let (_folder, pickled) = pickle(source, "flow").await;
    let output = run(&pickled.unwrap());
    let mut lines: Vec<_> = printed(&output).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["flow has cleaned up", "other has cleaned up"]);
    assert!(String::from_utf8_lossy(&output.stderr).trim_end().ends_with("KeyboardInterrupt"));
}

#[tokio::test]
async fn python_dies_when_nobody_waits_for_it_any_more() {
    for others in [&[][..], &["import decimal\n"], &["import decimal\n", "import socket\n"]] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let source =
            format!("import socket, time\ns = socket.create_connection(('127.0.0.1', {port}))\ntime.sleep(3600)\n");
        let folder = folder(&[("flows.py", &source)]);
        let mut wanted = requests(&folder, &[("flows.py", "flow")]);
        for (number, other) in others.iter().enumerate() {
            let name = format!("{number}.py");
            fs::write(folder.path().join(&name), other).unwrap();
            wanted.extend(requests(&folder, &[(&name, "flow")]));
        }
        let connected = tokio::task::spawn_blocking(move || listener.accept().unwrap().0);
        let mut inputs = Inputs::default();
        let mut stream = tokio::select! {
            stream = connected => stream.unwrap(),
            result = PYTHON.pickle(&wanted, folder.path(), &mut inputs) => panic!("{result:?}"),
        };
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let read = io::Read::read_to_end(&mut stream, &mut Vec::new());
        let closed = match &read {
            Ok(count) => *count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        };
        assert!(closed, "it still runs, beside {others:?}: {read:?}");
    }
}

/// The output of the health check for flows in these formats.
fn check(python: &str, flows: &[(&str, &[u8])]) -> Output {
    let folder = folder(&[]);
    let flow = |(number, (format, content)): (usize, &(&str, &[u8]))| {
        let location = folder.path().join(number.to_string());
        fs::write(&location, content).unwrap();
        serde_json::json!({ "name": format!("étl {number}"), "location": location, "format": format })
    };
    let flows: Vec<_> = flows.iter().enumerate().map(flow).collect();
    let manifest = folder.path().join("manifest.json");
    fs::write(&manifest, serde_json::json!({ "python": python, "flows": flows }).to_string()).unwrap();
    Command::new(PYTHON.program()).env("LC_ALL", "C").arg(HEALTH_CHECK).arg(manifest).output().unwrap()
}

/// A pickle that executes one line when it is loaded.
fn executing(code: &str) -> Vec<u8> {
    format!("\u{80}\u{4}cbuiltins\nexec\n(V{code}\ntR.").chars().map(|c| u8::try_from(c).unwrap()).collect()
}

#[tokio::test]
async fn the_health_check_takes_what_was_pickled() {
    let (_folder, pickled) = pickle("class Thing: pass\ndef flow(): return Thing()\n", "flow").await;
    let flow = fs::read(pickled.unwrap().content).unwrap();
    let version = facts(&PYTHON).await.unwrap().version;
    let fine = check(&version, &[("pickle", &flow)]);
    assert_eq!(printed(&fine), format!("flowhold: 1 flow is ready on Python {version}"));
    // Scripts are not tied to a version of Python.
    assert_eq!(printed(&check("3.5", &[("script", b"x = 1")])), printed(&fine));
}

#[tokio::test]
async fn pickles_of_another_python_are_not_loaded() {
    let version = facts(&PYTHON).await.unwrap().version;
    let differs = check("3.5", &[("pickle", &executing("print('loaded')")), ("script", b"import (")]);
    let said = String::from_utf8_lossy(&differs.stderr).into_owned();
    let sentence = format!("flowhold: the flows were pickled by Python 3.5, but the image runs Python {version}: ");
    let [script, mismatch] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(script.starts_with("flowhold: flow 'étl 1': SyntaxError: ") && mismatch.starts_with(&sentence), "{said}");
    assert_eq!(differs.status.code(), Some(1));
}

#[tokio::test]
async fn the_health_check_says_why_a_flow_does_not_load() {
    let version = facts(&PYTHON).await.unwrap().version;
    let handling = |raise: &str| executing(&format!("try: 1/0\\u000aexcept ZeroDivisionError: {raise}"));
    let table = [
        (b"\x80\x04cno_such\nthing\n.".to_vec(), "ModuleNotFoundError: No module named 'no_such'"),
        (executing("raise ValueError(1) from KeyError(2)"), "ValueError: 1 (because of KeyError: 2)"),
        (handling("raise ValueError(1)"), "ValueError: 1 (because of ZeroDivisionError: division by zero)"),
        (handling("raise ValueError(1) from None"), "ValueError: 1"),
        (executing("import sys; sys.exit()"), "SystemExit"),
        (executing("import os; os._exit(3)"), "it ended the process with exit code 3 while it was loading"),
    ];
    let flows: Vec<_> = table.iter().map(|(flow, _)| ("pickle", flow.as_slice())).collect();
    let said = check(&version, &flows);
    let mut lines = vec!["missing in the image: no_such (python_dependencies or files can bring it)".to_owned()];
    lines.extend(table.iter().enumerate().map(|(number, (_, cause))| format!("flow 'étl {number}': {cause}")));
    let lines: String = lines.iter().map(|line| format!("flowhold: {line}\n")).collect();
    assert_eq!((String::from_utf8_lossy(&said.stderr).into_owned(), said.status.code()), (lines, Some(1)));
    // A flow does not find the names of the health check itself.
    let said = check(&version, &[("pickle", b"\x80\x04c__main__\nmain\n.")]);
    assert!(String::from_utf8_lossy(&said.stderr).starts_with("flowhold: flow 'étl 0': AttributeError: "), "{said:?}");
}
