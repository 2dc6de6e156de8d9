//! What a spec names is read and run only where that was granted: the spec may be a stranger's.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use flowhold::{Failure, Host, Need, Sought, Sources, SpecText};
use flowhold_tests::Folder;

use crate::guest::wait;

const DOCKER: &str = "[storage]\ntype = \"docker\"\nbase_image = \"python:3.9\"\n";

/// A flow that is pickled, and that leaves a trace where it is executed.
const FLOW: &str = "open(__file__ + '.ran', 'w')\ndef flow(): pass\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("inside/flow.py", FLOW);
    folder.write("inside/tree/a.txt", "a");
    folder.write("outside/flow.py", FLOW);
    folder.write("outside/b.txt", "b");
    symlink("../outside/flow.py", folder.path().join("inside/link.py")).unwrap();
    folder
}

/// Plans a spec in `inside`, and fails with the first error in it, if there is any.
fn plan(folder: &Folder, lines: &str, granted: Sources) -> Result<(), Failure> {
    let spec = SpecText { text: lines.to_owned(), folder: folder.path().join("inside") };
    wait(async {
        let mut session = Host::builder().sources(granted).build()?.session().await?;
        let plan = session.plan(&spec, None, Need::Build).await?;
        session.need_plan(plan).await
    })
}

fn below(place: &Path) -> Sources {
    let place = place.canonicalize().unwrap();
    Sources::Granted(Arc::new(move |sought| match sought {
        Sought::File(path) => path.starts_with(&place),
        Sought::Python(_) => false,
    }))
}

#[test]
fn what_is_not_granted_is_neither_read_nor_run() {
    let folder = folder();
    let files = |path: &str| format!("{DOCKER}files = {{ {:?} = \"/opt/x\" }}\n", folder.path().join(path));
    let flow = |path: &str| format!("[[flows]]\npath = {path:?}\n");
    let inside = below(&folder.path().join("inside"));
    for (lines, refused) in [
        (flow("flow.py"), None),
        (files("inside/tree"), None),
        (flow("../outside/flow.py"), Some("flows[0]")),
        (flow("link.py"), Some("flows[0]")),
        (files("outside/b.txt"), Some("storage.files")),
        // The flow's file is granted, but Python is not.
        (format!("{}object = \"flow\"\n", flow("flow.py")), Some("flows[0]")),
    ] {
        let nowhere = plan(&folder, &lines, Sources::None).unwrap_err();
        assert_eq!(nowhere.code, "not-granted", "{lines}");
        match (plan(&folder, &lines, inside.clone()), refused) {
            (Err(failure), Some(field)) => {
                assert_eq!(failure.code, "not-granted", "{lines}");
                assert!(failure.field.unwrap().starts_with(field), "{lines}");
            }
            (done, refused) => assert!(done.is_ok() && refused.is_none(), "{lines}: {done:?}"),
        }
        assert!(!folder.path().join("inside/flow.py.ran").exists(), "{lines}");
        plan(&folder, &lines, Sources::All).unwrap();
    }
    assert!(folder.path().join("inside/flow.py.ran").exists());
    // Nor is it revealed whether a file that isn't granted exists.
    assert_eq!(plan(&folder, &flow("/none.py"), inside).unwrap_err().code, "not-granted");
}

#[test]
fn no_policy_is_read_that_is_not_granted() {
    let folder = folder();
    folder.write("outside/deny.wasm", "no policy");
    let spec = format!("policies = [\"../outside/deny.wasm\"]\n{DOCKER}");
    for (place, words) in [("inside", "was not granted"), ("", "it is not WebAssembly")] {
        let granted = below(&folder.path().join(place));
        let failure = plan(&folder, &spec, granted).unwrap_err();
        assert!(failure.message.contains(words), "{failure:?}");
    }
}

/// A Python is granted, and run, by the place where it is, however a spec names it. Its own link is not followed: the
/// Python of a virtual environment is a link.
#[test]
fn no_way_leads_to_a_python_that_is_not_granted() {
    let folder = folder();
    let evil = "#!/bin/sh\ntouch \"$0.ran\"\nexec python3 \"$@\"\n";
    for python in ["outside/python", "outside/env/bin/real"] {
        let path = folder.write(python, evil);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir_all(folder.path().join("inside/env/bin")).unwrap();
    symlink("../../../outside/env/bin/real", folder.path().join("inside/env/bin/python")).unwrap();
    symlink("../outside", folder.path().join("inside/out")).unwrap();
    let place = folder.path().canonicalize().unwrap();
    let (inside, asked) = (place.join("inside"), Arc::new(Mutex::new(Vec::new())));
    let granted = {
        let asked = Arc::clone(&asked);
        Sources::Granted(Arc::new(move |sought| match sought {
            Sought::File(path) => path.starts_with(&inside),
            Sought::Python(path) => {
                asked.lock().unwrap().push(path.to_owned());
                path.starts_with(&inside)
            }
        }))
    };
    let spec =
        |python: &str| format!("{DOCKER}python = {python:?}\n[[flows]]\npath = \"flow.py\"\nobject = \"flow\"\n");
    let inside = place.join("inside").display().to_string();
    for (python, meant) in [
        (format!("{inside}/../outside/python"), "outside/python"),
        (format!("{inside}/env/../../outside/python"), "outside/python"),
        (format!("{inside}/out/python"), "outside/python"),
        ("out/python".to_owned(), "outside/python"),
        ("out/../outside/python".to_owned(), "outside/python"),
        // The failure does not tell whether this Python is there.
        ("out/none".to_owned(), "outside/none"),
        ("../outside/none/python".to_owned(), "outside/none/python"),
    ] {
        let failure = plan(&folder, &spec(&python), granted.clone()).unwrap_err();
        assert_eq!(failure.code, "not-granted", "{python}");
        assert_eq!(asked.lock().unwrap().pop(), Some(place.join(meant)), "{python}");
        assert!(!place.join("outside/python.ran").exists(), "{python}");
    }
    // The granted Python, the one in the environment, is run, and not the target of its link.
    let done = plan(&folder, &spec("../inside/env/bin/python"), granted.clone());
    assert_eq!(asked.lock().unwrap().pop(), Some(place.join("inside/env/bin/python")));
    assert!(place.join("inside/env/bin/python.ran").exists(), "{done:?}");
    assert_eq!(plan(&folder, &spec("env/bin/none"), granted).unwrap_err().code, "no-python");
}

/// Neither a path that leads out of what is granted nor a link that leads nowhere tells anything.
#[test]
fn nobody_is_told_what_there_is_beside_what_was_granted() {
    let folder = folder();
    symlink("../outside", folder.path().join("inside/out")).unwrap();
    symlink("../outside/none", folder.path().join("inside/dangling")).unwrap();
    let inside = below(&folder.path().join("inside"));
    for path in ["../outside/flow.py", "../outside/none.py", "out/flow.py", "out/none.py", "link.py", "dangling"] {
        let failure = plan(&folder, &format!("[[flows]]\npath = {path:?}\nformat = \"script\"\n"), inside.clone());
        assert_eq!(failure.unwrap_err().code, "not-granted", "{path}");
    }
}

/// Somebody who can write there may exchange a file at any moment: the worst is when the file has just been granted.
#[test]
fn what_comes_in_the_place_of_what_was_granted_is_not_read() {
    let files = |path: &str| format!("{DOCKER}files = {{ \"PLACE/inside/{path}\" = \"/opt/x\" }}\n");
    for (exchanged, spec) in [
        ("flow.py", "[[flows]]\npath = \"flow.py\"\n".to_owned()),
        ("tree", files("tree")),
        ("tree", files("tree/a.txt")),
        ("deny.wasm", format!("policies = [\"deny.wasm\"]\n{DOCKER}")),
    ] {
        let folder = folder();
        folder.write("outside/tree/a.txt", "secret");
        folder.write("outside/deny.wasm", "secret");
        folder.write("inside/deny.wasm", "no policy");
        let place = folder.path().canonicalize().unwrap();
        let (here, elsewhere) = (place.join("inside").join(exchanged), place.join("outside").join(exchanged));
        let (spec, once) = (spec.replace("PLACE", place.to_str().unwrap()), AtomicBool::new(false));
        let granted = Sources::Granted(Arc::new(move |sought| {
            let Sought::File(path) = sought else { return false };
            if path.starts_with(&here) && !once.swap(true, Ordering::Relaxed) {
                fs::rename(&here, here.with_extension("old")).unwrap();
                symlink(&elsewhere, &here).unwrap();
            }
            true
        }));
        let failure = plan(&folder, &spec, granted).unwrap_err();
        // This message would show that the secret was read as a policy.
        assert!(!failure.message.contains("not WebAssembly"), "{exchanged}: {failure:?}");
    }
}

/// Here, the function that grants waits for another task of the same thread.
#[test]
fn other_tasks_go_on_while_files_are_looked_at() {
    let folder = folder();
    let files = format!("{DOCKER}files = {{ {:?} = \"/opt/x\" }}\n", folder.path().join("inside/tree"));
    let (went_on, goes_on) = mpsc::channel();
    let goes_on = Mutex::new(goes_on);
    let granted =
        Sources::Granted(Arc::new(move |_| goes_on.lock().unwrap().recv_timeout(Duration::from_secs(60)).is_ok()));
    let spec = SpecText { text: files, folder: folder.path().join("inside") };
    wait(async {
        let mut session = Host::builder().sources(granted).build().unwrap().session().await.unwrap();
        let other = async { went_on.send(()).unwrap() };
        let (plan, ()) = tokio::join!(session.plan(&spec, None, Need::Build), other);
        session.need_plan(plan.unwrap()).await.unwrap();
    });
}
