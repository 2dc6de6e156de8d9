//! A day's work of one long-lived process: it adds flows, and plans specs and forgets them, again and again.
//! `FLOWHOLD_LOAD` multiplies the work: with 100, it is more than one of each every second for 24 hours.
#![expect(clippy::print_stdout, reason = "figures for who wants to see them")]

use std::{fs, process::Command};

use flowhold::{Access, Flow, Format, Host, Need, Session, SpecText, blob::Blob};
use flowhold_tests::{Done, Folder};

/// How many flows a session adds; their directory is removed afterwards.
const FLOWS: usize = 100;
/// How many sessions run before the process's use of resources is measured, and how many until it is measured again.
const SESSIONS: (usize, usize) = (4, 10);

/// How far resources may grow without a leak: threads that store things come and go, with their memory.
const PAGES: usize = 1024;
const FILES_AND_THREADS: usize = 8;

/// Set for the process that does the work: other tests run in this process.
const WORKS: &str = "FLOWHOLD_TEST_DAY";

/// What a process uses: memory, which the kernel counts in pages, files and threads.
fn used() -> [usize; 3] {
    let memory = fs::read_to_string("/proc/self/statm").unwrap();
    let count = |directory| fs::read_dir(directory).unwrap().count();
    [memory.split(' ').nth(1).unwrap().parse().unwrap(), count("/proc/self/fd"), count("/proc/self/task")]
}

/// A new session adds flows to a directory; `planner` plans with each flow and forgets the plan.
async fn work(host: &Host, planner: &mut Session) {
    let folder = Folder::new();
    let mut session = host.session().await.unwrap();
    let directory = folder.path().to_str().unwrap();
    session.grant(folder.path(), Access::Write).unwrap();
    let storage = session.local(directory).await.unwrap();
    for number in 0..FLOWS {
        let content = Blob::in_memory(format!("print({number})\n"));
        let flow = Flow { name: format!("Flow {number}"), format: Format::Script, content };
        let location = session.add_flow(storage, flow).await.unwrap();
        let text = format!(
            "[storage]\ntype = \"docker\"\n[[flows]]\npath = {location:?}\nname = \"{number}\"\nformat = \"script\"\n"
        );
        let spec = SpecText { text, folder: folder.path().to_owned() };
        let plan = planner.plan(&spec, None, Need::Build).await.unwrap();
        let digest = planner.digest(plan).await.unwrap();
        assert!(digest.is_some(), "{:?}", planner.diagnostics(plan).await.unwrap());
        planner.forget(plan).await.unwrap();
    }
    assert_eq!(session.flows(storage).await.unwrap().len(), FLOWS);
}

fn all_day() {
    let factor = std::env::var("FLOWHOLD_LOAD").map_or(1, |factor| factor.parse::<usize>().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = Host::builder().sources(flowhold::Sources::All).build().unwrap();
        let mut planner = host.session().await.unwrap();
        let (first, then) = SESSIONS;
        for _ in 0..first {
            work(&host, &mut planner).await;
        }
        let before = used();
        for _ in 0..then * factor {
            work(&host, &mut planner).await;
        }
        let after = used();
        println!("{} flows: {before:?}, then {after:?}", FLOWS * then * factor);
        let most = [before[0] + PAGES, before[1] + FILES_AND_THREADS, before[2] + FILES_AND_THREADS];
        assert!(
            after.iter().zip(&most).all(|(after, most)| after <= most),
            "pages, files and threads: more than {most:?}"
        );
    });
}

#[test]
fn nothing_grows() {
    if std::env::var_os(WORKS).is_some() {
        return all_day();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "day::nothing_grows", "--nocapture"]).env(WORKS, "1");
    let done = Done::of(command.output().unwrap()).ok();
    assert!(done.stdout.contains("1 passed"), "{done:#?}");
    println!("{}", done.stdout);
}
