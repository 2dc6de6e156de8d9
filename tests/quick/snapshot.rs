//! Snapshots: a storage survives the round trip, and a damaged snapshot is an error and nothing worse.

use std::fs;

use flowhold_tests::{Done, Folder};

use crate::serialized::vectors;

const SPEC: &str =
    "[storage]\ntype = \"bytes\"\n[[flows]]\npath = \"a.py\"\nname = \"é\"\n[[flows]]\npath = \"b.pkl\"\n";

/// A folder with storage.json, and the snapshot of it.
fn sample() -> (Folder, Vec<u8>) {
    let folder = Folder::with_spec(SPEC);
    folder.write("a.py", "print('é')\n");
    folder.write("b.pkl", [0x80, 0, 1, 2, 255]);
    folder.run(&["build"]).ok();
    folder.run(&["serialize", "storage.json", "--to", "snapshot", "-o", "good"]).ok();
    let bytes = fs::read(folder.path().join("good")).unwrap();
    (folder, bytes)
}

fn refused(done: Done) {
    assert_eq!(done.fails(1, &["error"]).stdout, "");
}

#[test]
fn what_goes_in_comes_out() {
    let (folder, bytes) = sample();
    assert!(bytes.starts_with(b"flowhold"));
    let json = folder.json(&["serialize", "storage.json"]);
    assert_eq!(folder.json(&["serialize", "good"]), json);
    let out = folder.command(&["get", "b", "--storage", "good"]).output().unwrap();
    assert_eq!(out.stdout, [0x80, 0, 1, 2, 255]);
    assert_eq!(folder.run(&["run", "é", "--storage", "good"]).ok().stdout, "é\n");
    for (name, mut value) in vectors() {
        value["later"] = serde_json::json!([1, { "x": null }]);
        folder.write("vector.json", value.to_string());
        folder.run(&["serialize", "vector.json", "--to", "snapshot", "-o", "vector"]).ok();
        assert_eq!(folder.json(&["serialize", "vector"]), value, "{name}");
    }
}

#[test]
fn straight_from_the_spec_it_is_the_same() {
    let (folder, bytes) = sample();
    let direct = folder.command(&["serialize", "flowhold.toml", "--to", "snapshot"]).output().unwrap();
    assert_eq!(direct.stdout, bytes, "{direct:?}");
}

#[test]
fn every_truncation_is_refused() {
    let (folder, bytes) = sample();
    // The library's own test cuts at every byte; this one cuts at the ends of the parts, and at some bytes between.
    let ends = [0, 1, 7, 8, 9, 10, 11, 12, bytes.len() / 2, bytes.len() - 2, bytes.len() - 1];
    for end in ends {
        folder.write("cut", &bytes[..end]);
        // An empty file is an empty spec, not a snapshot.
        if end > 0 {
            refused(folder.run(&["serialize", "cut"]));
        }
        refused(folder.run(&["ls", "--storage", "cut"]));
    }
    folder.write("cut", [bytes, vec![0]].concat());
    refused(folder.run(&["ls", "--storage", "cut"]));
}

/// A flipped bit in a flow's bytes can't be noticed; anywhere else it must be. Nothing may panic.
#[test]
fn flipped_bits_are_an_error_or_a_storage() {
    let (folder, bytes) = sample();
    let mut refusals = 0;
    for at in (0..bytes.len()).step_by(7).chain(8..14) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        folder.write("flipped", flipped);
        let done = folder.run(&["ls", "--storage", "flipped"]);
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("core stopped"), "byte {at}: {done:#?}");
        if done.code != 0 {
            refused(done);
            refusals += 1;
        }
    }
    assert!(refusals >= 8, "magic, version and lengths were all taken: {refusals}");
}

#[test]
fn claims_of_size_are_not_believed() {
    let folder = Folder::new();
    let head = b"flowhold\0\x01";
    let claims: [&[u8]; 6] = [
        // bincode's markers for a length of two, four, eight and sixteen bytes.
        &[251, 255, 255],
        &[252, 255, 255, 255, 255],
        &[253, 255, 255, 255, 255, 255, 255, 255, 255],
        // A length that a snapshot may have, but for which there are too few bytes.
        &[252, 0, 0x65, 0xcd, 0x1d],
        &[2, b'{', b'}', 1, 1, b'a', 252, 0, 0x65, 0xcd, 0x1d],
        // A good text, and then a claim of four thousand million flows.
        &[2, b'{', b'}', 252, 255, 255, 255, 255],
    ];
    for claim in claims {
        folder.write("claim", [head, claim].concat());
        // With 256 MiB for everything, a claim that was believed would end the process.
        let binary = flowhold_tests::binary();
        let mut command = std::process::Command::new("prlimit");
        command.arg(format!("--data={}", 1_u64 << 28)).arg(binary).args(["ls", "--storage", "claim"]);
        refused(Done::of(command.current_dir(folder.path()).env("HOME", folder.path()).output().unwrap()));
    }
}

/// The error is in words for people, not in the decoder's, and says what to do.
#[test]
fn damage_is_told_in_words() {
    let (folder, bytes) = sample();
    let claim = [b"flowhold\0\x01".as_slice(), &[253], &[255; 8]].concat();
    for damaged in [&bytes[..bytes.len() - 1], &claim] {
        folder.write("damaged", damaged);
        let done = folder.run(&["ls", "--storage", "damaged"]).fails(1, &["the snapshot is damaged", "help:"]);
        assert!(!done.stderr.contains(['{', '(']), "{done:#?}");
    }
}

#[test]
fn a_later_format_says_so() {
    let (folder, mut bytes) = sample();
    bytes[9] = 2;
    folder.write("later", bytes);
    folder.run(&["serialize", "later"]).fails(1, &["format 2", "help:"]);
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let (folder, bytes) = sample();
    folder.write("bad", &bytes[..20]);
    folder.write("target", "mine");
    folder.run(&["serialize", "bad", "-o", "target"]).fails(1, &[]);
    assert_eq!(fs::read_to_string(folder.path().join("target")).unwrap(), "mine");
    folder.run(&["serialize", "good", "-o", "good/below"]).fails(1, &["not a directory"]);
}
