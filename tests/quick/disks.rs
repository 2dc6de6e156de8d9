//! Directories of flows on disks that are full, read-only, closed, elsewhere or gone. Each disk is a real one: a mount
//! of memory in a mount namespace of its own, which ends with the command.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use flowhold::{Access, Flow, Format, Host, blob::Blob};
use flowhold_tests::{Done, Folder, binary};

/// Runs a shell script beside a disk at `disk`, with the binary as `$flowhold`. Needs root, or user namespaces.
fn with_disk(folder: &Folder, options: &str, script: &str) -> Done {
    fs::create_dir_all(folder.path().join("disk")).unwrap();
    let mount = format!("mount -t tmpfs -o {options} disk disk\n{script}");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &mount]);
    command.env("flowhold", binary()).env("HOME", folder.path()).current_dir(folder.path());
    Done::of(command.output().unwrap())
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("etl.py", "print('hello')\n");
    folder.write("big.py", "#".repeat(100 << 10));
    folder
}

/// Flows that were stored before can still be read, nothing unfinished stays, and with more room nothing needs repair.
#[test]
fn full() {
    let fill = "
        cd disk
        mkdir flows
        n=0
        while $flowhold add ../big.py --name \"Flow $n\" --directory flows 2>../error; do n=$((n + 1)); done
        $flowhold add ../big.py --name \"Flow $n\" --directory flows 2>/dev/null; echo stopped $?
        cat ../error >&2
        ls -A flows flows/.flowhold | grep -v '^flow-[0-9]*[.]prefect$'
        $flowhold ls --directory flows | wc -l
        for flow in $(seq 0 $((n - 1))); do $flowhold get \"Flow $flow\" --directory flows | cmp - ../big.py || echo lost; done
        $flowhold get 'Flow 0' --directory flows -o copy 2>>../error; echo copied $?; ls -A
        rm flows/flow-0.prefect
        $flowhold add ../big.py --name 'Flow 0' --directory flows
    ";
    let folder = folder();
    let done = with_disk(&folder, "size=512k", fill).ok();
    // 512 KiB hold four flows and their notes. There may be room for the note of the fifth flow, which nothing reads.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let notes: String = (0..4).map(|n| format!("flow-{n}.json ")).collect();
    let location = folder.path().canonicalize().unwrap().join("disk/flows/flow-0.prefect");
    let expected = format!(
        "{}stopped 1 flows: .flowhold flows/.flowhold: {notes} 4 copied 1 flows {}",
        (0..4)
            .map(|n| format!("{} ", location.with_file_name(format!("flow-{n}.prefect")).display()))
            .collect::<String>(),
        location.display()
    );
    let got: Vec<_> = words(&done.stdout).into_iter().filter(|word| word != "flow-4.json").collect();
    assert_eq!(got, words(&expected), "{}", done.stderr);
    assert!(done.stderr.contains("flow-4") && done.stderr.contains("no space left on device"), "{}", done.stderr);
    assert!(done.stderr.contains("help: make room, and try again"), "{}", done.stderr);
}

#[test]
fn full_of_files() {
    let fill = "
        n=0
        while $flowhold add etl.py --name \"f$n\" --directory disk; do n=$((n + 1)); done
        $flowhold ls --directory disk | wc -l
        ls -A disk | wc -l
    ";
    let done = with_disk(&folder(), "nr_inodes=6", fill).ok();
    assert!(done.stderr.contains("no space left on device") && done.stderr.contains("f5.prefect"), "{done:#?}");
    assert!(done.stdout.ends_with("5\n5\n"), "{done:#?}");
}

#[test]
fn read_only() {
    let script = "
        $flowhold add etl.py --directory disk && mount -o remount,ro disk
        $flowhold add etl.py --directory disk --name other; echo $?
        $flowhold add etl.py --directory disk/new; echo $?
        $flowhold get etl --directory disk -o disk/copy; echo $?
        $flowhold ls --directory disk && $flowhold get etl --directory disk && $flowhold contains etl --directory disk
    ";
    let done = with_disk(&folder(), "size=1m", script).ok();
    let rest = done.stdout.split_once('\n').unwrap().1;
    assert!(rest.starts_with("1\n1\n1\netl  /") && rest.ends_with("print('hello')\ntrue\n"), "{done:#?}");
    for place in ["disk/other.prefect", "disk/new", "disk/copy"] {
        assert!(done.stderr.contains(&format!("{place}: read-only file")), "{place}: {done:#?}");
    }
    assert_eq!(done.stderr.matches("help: take a path that can be written to").count(), 3, "{done:#?}");
}

/// Runs the binary; if root runs the tests, without root's right to bypass permissions.
fn without_privileges(folder: &Folder, arguments: &[&str]) -> Done {
    let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        let give_up = "-dac_override,-dac_read_search";
        command.arg(format!("--bounding-set={give_up}")).arg(format!("--inh-caps={give_up}")).arg(binary());
        command
    } else {
        Command::new(binary())
    };
    command.args(arguments).current_dir(folder.path()).env("HOME", folder.path());
    Done::of(command.output().unwrap())
}

#[test]
fn forbidden() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    folder.run(&["add", "etl.py", "--directory", "d"]).ok();
    let allow =
        |path: &str, mode| fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    allow("d", 0o500);
    let help = "change its permissions";
    without_privileges(&folder, &["add", "etl.py", "--name", "b", "--directory", "d"])
        .fails(1, &["d/b.prefect: permission denied", help]);
    without_privileges(&folder, &["add", "etl.py", "--directory", "d/new"])
        .fails(1, &["d/new: permission denied", help]);
    without_privileges(&folder, &["get", "etl", "--directory", "d", "-o", "d/copy"])
        .fails(1, &["d/copy: permission", help]);
    assert_eq!(without_privileges(&folder, &["get", "etl", "--directory", "d"]).ok().stdout, "print('hello')\n");
    allow("d/etl.prefect", 0);
    without_privileges(&folder, &["get", "etl", "--directory", "d"])
        .fails(1, &["d/etl.prefect: permission denied", help]);
    allow("d", 0);
    for command in [&["ls"][..], &["get", "etl"], &["add", "etl.py"]] {
        let arguments = [command, &["--directory", "d"]].concat();
        without_privileges(&folder, &arguments).fails(1, &["d: permission denied", help]);
    }
    allow("d", 0o700);
    assert_eq!(fs::read_dir(folder.path().join("d")).unwrap().count(), 1);
}

/// The directory is opened, and then removed before the flow is added.
#[test]
fn removed_underneath() {
    let folder = folder();
    let directory = folder.path().join("d");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        fs::create_dir(&directory).unwrap();
        let mut session = Host::builder().files(&directory, Access::Write).build().unwrap().session().await.unwrap();
        let storage = session.local(directory.to_str().unwrap()).await.unwrap();
        fs::remove_dir(&directory).unwrap();
        let flow = || Flow { name: "etl".to_owned(), format: Format::Script, content: Blob::in_memory("x") };
        let failure = session.add_flow(storage, flow()).await.unwrap_err();
        let text = format!("{failure:?}");
        assert!(text.contains("etl.prefect: its directory is not there") && text.contains("try again"), "{text}");
        assert!(session.flows(storage).await.unwrap().is_empty());
        // The test tries again, as the help says: a new session opens the directory again.
        let mut session = Host::builder().files(&directory, Access::Write).build().unwrap().session().await.unwrap();
        let storage = session.local(directory.to_str().unwrap()).await.unwrap();
        session.add_flow(storage, flow()).await.unwrap();
    });
    assert_eq!(folder.run(&["get", "etl", "--directory", "d"]).ok().stdout, "x");
}

/// A session that is still open blocks no other, whether it has added its flow or could not add it.
#[test]
fn sessions_take_turns() {
    let folder = folder();
    let directory = folder.path().join("d");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let host = Host::builder().files(&directory, Access::Write).build().unwrap();
    let work = async {
        let mut living = Vec::new();
        for name in ["one", "one", "two"] {
            let mut session = host.session().await.unwrap();
            let storage = session.local(directory.to_str().unwrap()).await.unwrap();
            let flow = Flow { name: name.to_owned(), format: Format::Script, content: Blob::in_memory(name) };
            let added = session.add_flow(storage, flow).await;
            assert_eq!(added.is_ok(), living.len() != 1, "{added:?}");
            living.push(session);
        }
    };
    // The work would never end if one session waited for another.
    let patience = std::time::Duration::from_secs(60);
    runtime.block_on(async { tokio::time::timeout(patience, work).await }).unwrap();
    runtime.shutdown_background();
}

/// A session that waits for the directory takes no thread that the session with the directory needs.
#[test]
fn sessions_that_wait_keep_nobody_from_working() {
    let folder = folder();
    let directory = folder.path().join("d");
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(1).build().unwrap();
    let host = Host::builder().files(&directory, Access::Write).build().unwrap();
    let add = async |number: usize| {
        let mut session = host.session().await.unwrap();
        let storage = session.local(directory.to_str().unwrap()).await.unwrap();
        let flow = Flow { name: format!("f{number}"), format: Format::Script, content: Blob::in_memory("x") };
        session.add_flow(storage, flow).await.unwrap();
    };
    let work = futures_util::future::join_all((0..8).map(add));
    let patience = std::time::Duration::from_secs(60);
    let done = runtime.block_on(async { tokio::time::timeout(patience, work).await });
    runtime.shutdown_background();
    assert_eq!(done.unwrap().len(), 8);
    assert_eq!(folder.json(&["ls", "--directory", "d", "--format", "json"])["flows"].as_object().unwrap().len(), 8);
}

#[test]
fn elsewhere() {
    let folder = folder();
    // The directory is on another file system than the flow's file.
    let script = "
        $flowhold add etl.py --directory disk/a/b --name 'My Flow' && $flowhold get 'My Flow' --directory disk/a/b -o disk/copy
        cmp disk/copy etl.py && ls -A disk/a/b
    ";
    let done = with_disk(&folder, "size=1m", script).ok();
    assert!(done.stdout.ends_with(".flowhold\nmy-flow.prefect\n"), "{done:#?}");
    // A directory that is a link, one that is below a link, and one that leads nowhere.
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    folder.run(&["add", "etl.py", "--directory", "link"]).ok();
    folder.run(&["add", "etl.py", "--directory", "link/below", "--name", "My Flow"]).ok();
    for (directory, flow) in [("link", "etl"), ("real", "etl"), ("real/below", "My Flow")] {
        assert_eq!(folder.run(&["get", flow, "--directory", directory]).ok().stdout, "print('hello')\n", "{directory}");
    }
    folder.run(&["add", "etl.py", "--directory", "dangling"]).fails(1, &["dangling: ", "help: "]);
    // A link in a flow's place is neither followed nor replaced.
    symlink("../etl.py", folder.path().join("real/taken.prefect")).unwrap();
    symlink("gone", folder.path().join("real/gone.prefect")).unwrap();
    for name in ["taken", "gone"] {
        folder.run(&["add", "big.py", "--name", name, "--directory", "real"]).fails(1, &[&format!("{name}.prefect")]);
        assert!(folder.path().join(format!("real/{name}.prefect")).is_symlink());
    }
    assert!(!Path::new(&folder.path().join("real/gone")).exists());
    assert_eq!(fs::read_to_string(folder.path().join("etl.py")).unwrap(), "print('hello')\n");
}

/// A directory as the original leaves it: pickles without notes, among other files.
#[test]
fn of_the_original() {
    let folder = folder();
    folder.write("d/nightly-etl.prefect", b"\x80\x04K\x01.");
    folder.write("d/README", "");
    folder.write("d/sub/inner.prefect", "");
    let listed = folder.json(&["ls", "--directory", "d", "--format", "json"]);
    assert_eq!(listed["flows"].as_object().unwrap().keys().collect::<Vec<_>>(), ["nightly-etl"]);
    let got = folder.command(&["get", "nightly-etl", "--directory", "d"]).output().unwrap();
    assert_eq!(got.stdout, b"\x80\x04K\x01.");
    folder.run(&["add", "etl.py", "--name", "Nightly ETL", "--directory", "d"]).fails(1, &["nightly-etl.prefect"]);
    folder.run(&["add", "etl.py", "--directory", "d"]).ok();
    assert_eq!(folder.json(&["ls", "--directory", "d", "--format", "json"])["flows"].as_object().unwrap().len(), 2);
}

/// A file whose name only looks like the given name would be worse than an error.
#[test]
fn a_name_that_is_not_unicode() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = Folder::new();
    folder.write("etl.py", "print('hello')\n");
    folder.run(&["add", "etl.py", "--directory", "d"]).ok();
    let mut command = folder.command(&["get", "etl", "--directory", "d", "--output"]);
    command.arg(std::ffi::OsStr::from_bytes(b"out-\xff.py"));
    Done::of(command.output().unwrap()).fails(1, &["not Unicode"]);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with("out-")));
}
