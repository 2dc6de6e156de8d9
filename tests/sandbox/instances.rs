//! Many instances: none sees anything of another, and none leaves anything behind.

use std::{fs, process::Command};

use flowhold::{Host, Need, SpecText};

use crate::guest::wait;

async fn digest(host: &Host, name: &str) -> String {
    let mut session = host.session().await.unwrap();
    let text = format!(
        "[storage]\ntype = \"docker\"\nbase_image = \"python:3.9\"\nimage_name = \"{name}\"\nenv_vars.NAME = \"{name}\"\n"
    );
    let plan = session.plan(&SpecText { text, folder: "/".into() }, None, Need::Preview).await.unwrap();
    session.digest(plan).await.unwrap().unwrap()
}

/// Resident memory in KiB, and open files.
fn held() -> (usize, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let memory = line.split_whitespace().next().unwrap().parse().unwrap();
    (memory, fs::read_dir("/proc/self/fd").unwrap().count())
}

/// A runtime with several threads needs futures that are `Send`.
#[test]
fn sessions_work_in_any_thread() {
    fn in_any<T: Send>(work: T) -> T {
        work
    }
    let host = Host::builder().build().unwrap();
    wait(in_any(async {
        assert!(digest(&host, "a").await.starts_with("sha256:"));
    }));
}

#[test]
fn a_hundred_at_once_say_what_one_says() {
    let host = Host::builder().build().unwrap();
    wait(async {
        let names: Vec<_> = (0..100).map(|index| format!("flow-{index}")).collect();
        let together = futures_util::future::join_all(names.iter().map(|name| digest(&host, name))).await;
        for (name, one) in names.iter().zip(&together) {
            assert_eq!(digest(&host, name).await, *one, "{name}");
        }
        let different: std::collections::BTreeSet<_> = together.iter().collect();
        assert_eq!(different.len(), 100);
    });
}

#[test]
fn ten_thousand_leave_nothing_behind() {
    const ALONE: &str = "FLOWHOLD_TEST_ALONE";
    // What a process holds can only be measured if no other test runs in it.
    if std::env::var_os(ALONE).is_none() {
        let mut alone = Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", "instances::ten_thousand_leave_nothing_behind", "--nocapture"]).env(ALONE, "1");
        assert!(alone.status().unwrap().success());
        return;
    }
    let host = Host::builder().build().unwrap();
    wait(async {
        for _ in 0..500 {
            digest(&host, "warm").await;
        }
        let (memory, files) = held();
        for _ in 0..10_000 {
            digest(&host, "etl").await;
        }
        let (after, files_after) = held();
        assert_eq!(files_after, files, "open files");
        // A leak of 1 KiB an instance would be 10 MiB.
        assert!(after < memory + (8 << 10), "{after} KiB after {memory}");
    });
}
