//! Runs the checks of the fuzzers in `fuzz/`, on stable, on the inputs that are kept: seeds and findings. Only `trace`
//! and `transcript` are missing, which check the host: the host's own tests have their cases.
#![expect(clippy::expect_used, clippy::panic, reason = "a check stops at what it doesn't expect")]

use std::{fs, path::Path};

macro_rules! checks {
    ($($name:ident = $path:literal),+) => {
        $(
            #[path = $path]
            mod $name;
        )+

        /// The names of the targets, and the check of each.
        const CHECKS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::check)),+];
    };
}

checks! {
    context = "../fuzz/checks/context.rs",
    dockerfile = "../fuzz/checks/dockerfile.rs",
    image_reference = "../fuzz/checks/image_reference.rs",
    snapshot = "../fuzz/checks/snapshot.rs",
    spec = "../fuzz/checks/spec.rs",
    storage_json = "../fuzz/checks/storage_json.rs"
}

/// The files of a directory; none if it is not there.
fn files(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// Checks each input as it is, cut off at every byte, and with every byte changed.
#[test]
fn inputs_that_are_kept_hold() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, check) in CHECKS {
        let mut inputs = files(&tests.join("fuzz/seeds").join(name));
        if *name == "spec" {
            inputs = files(&tests.join("specs")).into_iter().filter(|text| text.len() < 2000).collect();
        }
        inputs.extend(files(&tests.join("fuzz/findings").join(name)));
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for input in inputs {
            check(&input);
            // Only some places of large inputs are tried: specs take longest.
            for at in (0..input.len()).step_by(1 + input.len() / 300) {
                check(&input[..at]);
                let mut changed = input.clone();
                changed[at] ^= 1 << (at % 8);
                check(&changed);
            }
        }
    }
}
