//! A guest has what its host supplies, and learns nothing else.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use flowhold::{
    Failure, Host,
    blob::Blob,
    capability::{Answer, Clock, Daemon, Docker, Files, Random},
};

use crate::guest::{alone, host, obeyed, wait};

struct Mine;

impl Clock for Mine {
    fn now(&self) -> u64 {
        42
    }
}

impl Random for Mine {
    fn uuid(&self) -> String {
        "not random at all".to_owned()
    }
}

impl Files for Mine {
    fn open(&self, path: &str) -> Result<Option<Blob>, Failure> {
        Ok((path == "note").then(|| Blob::in_memory("from memory")))
    }

    fn create(&self, _: &str, _: &Blob) -> Result<bool, Failure> {
        Err(Failure::input("read-only", "these files are read-only"))
    }

    fn replace(&self, path: &str, content: &Blob) -> Result<(), Failure> {
        self.create(path, content).map(drop)
    }

    fn entries(&self, _: &str) -> Result<Vec<String>, Failure> {
        Ok(vec!["note".to_owned()])
    }

    fn create_directory(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

impl Docker for Mine {
    fn connect<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, Arc<dyn Daemon>> {
        Box::pin(async { Err(Failure::input("mine", "the embedder's own daemon")) })
    }
}

#[test]
fn an_embedder_can_supply_each_capability() {
    let mine = Arc::new(Mine);
    let host = host(|host| host.clock(mine.clone()).random(mine.clone()).own_files(mine.clone()).docker(mine.clone()));
    for (order, answer) in [
        ("now", "42"),
        ("uuid", "not random at all"),
        ("open note", "from memory"),
        ("open other", "missing-file: other: no such file"),
        ("create x", "read-only: these files are read-only"),
        ("entries x", "note"),
        ("docker", "mine: the embedder's own daemon"),
    ] {
        assert_eq!(alone(&host, order).unwrap(), answer, "{order}");
    }
}

/// A number that grows by one with each question.
#[derive(Default)]
struct Counting(AtomicU64);

impl Clock for Counting {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Random for Counting {
    fn uuid(&self) -> String {
        format!("number {}", self.now())
    }
}

#[test]
fn time_and_randomness_are_the_embedders_alone() {
    let counting = Arc::new(Counting::default());
    let host = host(|host| host.clock(counting.clone()).random(counting.clone()));
    wait(async {
        let mut one = host.session().await.unwrap();
        let mut other = host.session().await.unwrap();
        assert_eq!(obeyed(&mut one, "now\nuuid\nnow").await.unwrap(), ["0", "number 1", "2"]);
        assert_eq!(obeyed(&mut other, "uuid\nnow").await.unwrap(), ["number 3", "4"]);
    });
    assert_eq!(counting.now(), 5, "nobody else asked");
}

/// Files on a slow disk: each call waits until another task of the runtime goes on, which it must not prevent.
struct Slow(Mutex<mpsc::Receiver<()>>);

impl Slow {
    fn wait(&self) -> Result<(), Failure> {
        let other = self.0.lock().unwrap().recv_timeout(Duration::from_secs(60));
        other.map_err(|_| Failure::input("alone", "nobody else goes on"))
    }
}

impl Files for Slow {
    fn open(&self, _: &str) -> Result<Option<Blob>, Failure> {
        self.wait().map(|()| Some(Blob::in_memory("slow")))
    }

    fn create(&self, _: &str, _: &Blob) -> Result<bool, Failure> {
        self.wait().map(|()| true)
    }

    fn create_all(&self, files: &[(String, Blob)]) -> Result<Vec<bool>, Failure> {
        self.wait().map(|()| vec![true; files.len()])
    }

    fn replace(&self, _: &str, _: &Blob) -> Result<(), Failure> {
        self.wait()
    }

    fn entries(&self, _: &str) -> Result<Vec<String>, Failure> {
        self.wait().map(|()| vec!["slow".to_owned()])
    }

    fn create_directory(&self, _: &str) -> Result<(), Failure> {
        self.wait()
    }
}

#[test]
fn other_tasks_go_on_while_a_disk_is_slow() {
    for verb in ["open", "create", "create-all", "replace", "entries", "create-directory"] {
        let (went_on, goes_on) = mpsc::channel();
        let files = Arc::new(Slow(Mutex::new(goes_on)));
        let host = host(|host| host.own_files(files.clone()));
        wait(async {
            let mut session = host.session().await.unwrap();
            let other = async { went_on.send(()).unwrap() };
            let order = format!("{verb} x");
            let (answer, ()) = tokio::join!(obeyed(&mut session, &order), other);
            assert!(!answer.as_ref().unwrap()[0].contains("alone"), "{verb}: {answer:?}");
        });
    }
}

#[test]
fn what_is_not_supplied_is_refused_and_no_trap() {
    let host = host(|host| host);
    assert_eq!(alone(&host, "docker").unwrap(), "no-capability: this host has no docker");
    for order in ["open /etc/hostname", "create /tmp/flowhold-evil", "entries /", "create-directory /tmp/flowhold-evil"]
    {
        assert!(alone(&host, order).unwrap().starts_with("not-granted: "), "{order}");
    }
}

#[test]
fn what_is_no_component_is_refused() {
    for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0", b"(component", &[0xff; 1000]] {
        let failure = Host::builder().component(bytes).build().map(drop).unwrap_err();
        assert_eq!(failure.code, "core-stopped", "{failure:?}");
    }
    // A component with an import that is no capability.
    let greedy = b"(component (import \"wasi:cli/environment@0.2.0\" (instance)))";
    assert!(Host::builder().component(greedy.as_slice()).build().is_err());
}
