//! What a spec names is read and run where that was granted, and nowhere else: the spec may be a stranger's.

use std::{os::unix::fs::symlink, path::Path, sync::Arc};

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

/// What is wrong with a spec in `inside`, if anything is: the first of it.
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
        // Its file is granted, and Python is not.
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
    // Whether a file exists that isn't granted isn't revealed either.
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
