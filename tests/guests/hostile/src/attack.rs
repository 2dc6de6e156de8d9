//! What a spec can tell this guest to do.

use crate::{
    flowhold::storage::{clock, diagnostics::Failure, docker, files, random},
    handle::misuse,
};

/// Does what a line says, and returns the result.
pub(crate) fn obey(line: &str) -> String {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "open" => told(
            files::open(rest).map(|blob| String::from_utf8_lossy(&blob.read(0, 100).unwrap_or_default()).into_owned()),
        ),
        // Opens the same path over and over, and tells every different answer.
        "open-often" => {
            let (times, path) = rest.split_once(' ').unwrap();
            let mut answers: Vec<String> = (0..times.parse().unwrap()).map(|_| obey(&format!("open {path}"))).collect();
            answers.sort_unstable();
            answers.dedup();
            answers.join(" | ")
        }
        // Keeps all files open.
        "open-many" => {
            let (times, path) = rest.split_once(' ').unwrap();
            let opened: Result<Vec<_>, _> = (0..times.parse().unwrap()).map(|_| files::open(path)).collect();
            told(opened.map(|blobs| blobs.len().to_string()))
        }
        "create" => told(files::create(rest, &files::Blob::new(b"evil")).map(|new| new.to_string())),
        // Enough files to be synced together.
        "create-all" => {
            let evil = files::Blob::new(b"evil");
            let all: Vec<_> = (0..40).map(|at| (format!("{rest}{}", ".".repeat(at)), &evil)).collect();
            told(files::create_all(&all).map(|created| format!("{created:?}")))
        }
        "replace" => told(files::replace(rest, &files::Blob::new(b"evil")).map(|()| "done".to_owned())),
        "entries" => told(files::entries(rest).map(|names| names.join(","))),
        "create-directory" => told(files::create_directory(rest).map(|()| "done".to_owned())),
        "long-name" => obey(&format!("open {rest}/{}", "x".repeat(1 << 20))),
        "handle" => misuse(rest),
        "docker" => told(docker::connect(None).map(|_| "connected".to_owned())),
        "now" => clock::now().to_string(),
        "uuid" => random::uuid(),
        "loop" => loop {
            std::hint::black_box(());
        },
        "grow" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
                std::hint::black_box(&kept);
            }
        }
        "recurse" => deeper(1).to_string(),
        "trap" => panic!("on purpose"),
        // Handles that the host holds bytes for.
        "blobs" => {
            let blobs: Vec<_> = (0..rest.parse().unwrap()).map(|_| files::Blob::new(&[1; 1 << 20])).collect();
            blobs.len().to_string()
        }
        "handles" => {
            let blobs: Vec<_> = (0..rest.parse().unwrap()).map(|_| files::Blob::new(b"")).collect();
            blobs.len().to_string()
        }
        "read-far" => told(files::Blob::new(b"abc").read(u64::MAX, u32::MAX).map(|bytes| bytes.len().to_string())),
        "say" => "x".repeat(rest.parse().unwrap()),
        other => format!("{other}?"),
    }
}

#[expect(unconditional_recursion, reason = "the stack is what it tries")]
fn deeper(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    deeper(frame[0] + 1) + std::hint::black_box(frame[63])
}

fn told(answer: Result<String, Failure>) -> String {
    answer.unwrap_or_else(|failure| format!("{}: {}", failure.code, failure.message))
}
