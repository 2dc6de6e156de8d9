//! Nothing outside of what was granted is read, written or seen.

use std::{
    fs,
    os::unix::fs::symlink,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use flowhold::Access;
use flowhold_tests::Folder;

use crate::guest::{alone, host};

const SECRET: &str = "the secret";

/// A granted directory beside a file that was not granted.
struct Place {
    folder: Folder,
    granted: String,
    outside: String,
}

fn place() -> Place {
    let folder = Folder::new();
    let outside = folder.write("outside/secret", SECRET).display().to_string();
    folder.write("granted/inside", "inside");
    let granted = folder.path().join("granted").display().to_string();
    symlink(&outside, folder.path().join("granted/link")).unwrap();
    symlink("../outside", folder.path().join("granted/up")).unwrap();
    symlink("/", folder.path().join("granted/root")).unwrap();
    symlink("loop", folder.path().join("granted/loop")).unwrap();
    Place { folder, granted, outside }
}

#[test]
fn what_was_granted_can_be_used() {
    let Place { folder: _kept, granted, .. } = place();
    let host = host(|host| host.files(&granted, Access::Write));
    assert_eq!(alone(&host, &format!("open {granted}/inside")).unwrap(), "inside");
    assert_eq!(alone(&host, &format!("create {granted}/new")).unwrap(), "true");
    assert_eq!(alone(&host, &format!("create {granted}/new")).unwrap(), "false");
    assert_eq!(alone(&host, &format!("open {granted}/new")).unwrap(), "evil");
    let all: Vec<_> = (0..40).map(|at| at > 0).collect();
    assert_eq!(alone(&host, &format!("create-all {granted}/new")).unwrap(), format!("{all:?}"));
    assert_eq!(alone(&host, &format!("open {granted}/new{}", ".".repeat(39))).unwrap(), "evil");
}

#[test]
fn no_path_leads_out() {
    let Place { folder, granted, outside } = place();
    let host = host(|host| host.files(&granted, Access::Write));
    let before = Command::new("find").arg(folder.path()).arg("-printf").arg("%p %i %s %m\\n").output().unwrap().stdout;
    let ways = [
        outside.clone(),
        format!("{granted}/../outside/secret"),
        format!("{granted}/./../outside/secret"),
        format!("{granted}/link"),
        format!("{granted}/up/secret"),
        format!("{granted}/root{outside}"),
        format!("{granted}/root/etc/passwd"),
        format!("{granted}/loop"),
        format!("{granted}x/secret"),
        "/etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
        "/dev/zero".to_owned(),
        "../outside/secret".to_owned(),
        "inside".to_owned(),
        "~/x".to_owned(),
        String::new(),
        "/".to_owned(),
        "\u{0}".to_owned(),
        format!("{granted}/inside\u{0}x"),
    ];
    for way in ways {
        for verb in ["open", "create", "create-all", "replace", "entries", "create-directory"] {
            // Creating or replacing a file at a link changes the link itself, which was granted.
            if matches!(verb, "create" | "create-all" | "replace")
                && [format!("{granted}/link"), format!("{granted}/loop")].contains(&way)
            {
                continue;
            }
            let answer = alone(&host, &format!("{verb} {way}")).unwrap();
            let refused = [
                "not-granted: ",
                "permission-denied: ",
                "file-error: ",
                "not-a-directory: ",
                "missing-file: ",
                "is-a-directory: ",
            ];
            assert!(refused.iter().any(|code| answer.starts_with(code)), "{verb} {way}: {answer}");
            assert!(!answer.contains(SECRET) && !answer.contains("root:"), "{verb} {way}: {answer}");
        }
    }
    let after = Command::new("find").arg(folder.path()).arg("-printf").arg("%p %i %s %m\\n").output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&before), String::from_utf8_lossy(&after));
}

#[test]
fn writing_in_place_of_a_link_does_not_follow_it() {
    let Place { folder: _kept, granted, outside } = place();
    let host = host(|host| host.files(&granted, Access::Write));
    assert_eq!(alone(&host, &format!("create {granted}/link")).unwrap(), "false");
    assert!(alone(&host, &format!("create-all {granted}/link")).unwrap().starts_with("[false, true, "));
    alone(&host, &format!("replace {granted}/link")).unwrap();
    assert_eq!(fs::read_to_string(outside).unwrap(), SECRET);
}

#[test]
fn a_directory_that_was_granted_for_reading_is_not_written_to() {
    let Place { folder: _kept, granted, .. } = place();
    let host = host(|host| host.files(&granted, Access::Read));
    for verb in ["create", "create-all", "replace", "create-directory"] {
        assert!(alone(&host, &format!("{verb} {granted}/new")).unwrap().starts_with("not-granted: "), "{verb}");
    }
    assert_eq!(alone(&host, &format!("open {granted}/inside")).unwrap(), "inside");
}

#[test]
fn a_link_that_is_swapped_in_a_race_leads_nowhere() {
    let Place { folder, granted, .. } = place();
    let host = host(|host| host.files(&granted, Access::Read));
    let (file, link, at) = ("racing.file", "racing.link", "racing");
    let path = |name: &str| folder.path().join("granted").join(name);
    let done = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                fs::write(path(file), "inside").unwrap();
                fs::rename(path(file), path(at)).unwrap();
                symlink("../outside/secret", path(link)).unwrap();
                fs::rename(path(link), path(at)).unwrap();
            }
        });
        // A busy machine may let one of the two threads sleep for long.
        let end = Instant::now() + Duration::from_secs(60);
        let mut answers = String::new();
        while !(answers.contains("inside") && answers.contains("permission-denied")) && Instant::now() < end {
            answers += &alone(&host, &format!("open-often 5000 {granted}/{at}")).unwrap();
        }
        done.store(true, Ordering::Release);
        answers
    });
    assert!(!answers.contains(SECRET), "{answers}");
    assert!(answers.contains("inside"), "the race was never won by the file: {answers}");
    assert!(answers.contains("permission-denied"), "the race was never won by the link: {answers}");
}

#[test]
fn pipes_and_devices_are_not_waited_for() {
    let Place { folder, granted, .. } = place();
    let pipe = folder.path().join("granted/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let host = Arc::new(host(|host| host.files(&granted, Access::Read).files("/dev", Access::Read)));
    for path in [pipe.to_str().unwrap(), "/dev/zero", "/dev/tty", "/dev/stdin"] {
        let (answered, answer) = mpsc::channel();
        let (host, order) = (Arc::clone(&host), format!("open {path}"));
        // Not joined: a thread that waits for a pipe would never end.
        thread::spawn(move || answered.send(alone(&host, &order)));
        let answer = answer.recv_timeout(Duration::from_secs(20)).expect(path).unwrap();
        assert!(answer.contains(": ") && !answer.contains('\u{0}'), "{path}: {answer}");
    }
}

#[test]
fn no_more_files_are_open_than_leaves_enough_for_others() {
    let Place { folder: _kept, granted, .. } = place();
    let host = host(|host| host.files(&granted, Access::Read));
    let many = |times: usize| alone(&host, &format!("open-many {times} {granted}/inside")).unwrap();
    assert_eq!(many(64), "64");
    assert_eq!(many(65), "file-error: too many files are open at once");
    assert_eq!(alone(&host, &format!("open-often 5000 {granted}/inside")).unwrap(), "inside");
}

#[test]
fn very_long_names_are_answered() {
    let Place { folder: _kept, granted, .. } = place();
    let host = host(|host| host.files(&granted, Access::Write));
    let answer = alone(&host, &format!("long-name {granted}")).unwrap();
    assert!(answer.starts_with("file-error: "), "{}", &answer[..100]);
}
