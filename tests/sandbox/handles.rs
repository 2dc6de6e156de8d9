//! A handle is valid only if the host gave it, only as the kind that it was given as, and only until it is given back.
//! A guest that uses any other handle is stopped.

use std::sync::Arc;

use flowhold::{
    Failure,
    blob::Blob,
    capability::{Answer, BuildOptions, BuiltImage, ContainerRun, Daemon, Docker, ImageBuilder, LocalImage},
};

use crate::guest::{alone, host, ordered, stopped, wait};

/// A daemon that does nothing, and must not be asked.
struct Idle;

impl Docker for Idle {
    fn connect<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, Arc<dyn Daemon>> {
        Box::pin(async { Ok(Arc::new(Self) as Arc<dyn Daemon>) })
    }
}

impl Daemon for Idle {
    fn image<'a>(&'a self, _: &'a str) -> Answer<'a, Option<LocalImage>> {
        unreachable!("nobody asks it")
    }

    fn published<'a>(&'a self, _: &'a str) -> Answer<'a, Option<String>> {
        unreachable!("nobody asks it")
    }

    fn pull<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, ()> {
        unreachable!("nobody asks it")
    }

    fn builder(&self) -> Answer<'_, ImageBuilder> {
        unreachable!("nobody asks it")
    }

    fn build(&self, _: Vec<Blob>, _: BuildOptions) -> Answer<'_, BuiltImage> {
        unreachable!("nobody asks it")
    }

    fn push<'a>(&'a self, _: &'a str) -> Answer<'a, Option<String>> {
        unreachable!("nobody asks it")
    }

    fn run(&self, _: ContainerRun) -> Answer<'_, i64> {
        unreachable!("nobody asks it")
    }

    fn copy_out<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Option<Blob>> {
        unreachable!("nobody asks it")
    }
}

fn assert_refused(failure: &Failure, order: &str) {
    assert_eq!(failure.code, "core-stopped", "{order}: {failure:?}");
    assert!(failure.message.contains("handle index"), "{order}: {failure:?}");
}

#[test]
fn what_is_no_handle_of_its_kind_stops_the_guest_alone() {
    let host = host(|host| host.docker(Arc::new(Idle)));
    assert_eq!(alone(&host, "handle own").unwrap(), "4 bytes");
    for order in [
        "numbered 0",
        "numbered 1",
        "numbered 1000",
        "numbered 1073741824",
        "numbered 2147483648",
        "numbered 4294967295",
        "dropped",
        "dropped-twice",
        "daemon-as-blob",
        "daemon-dropped-as-blob",
        "blob-as-daemon",
        "plan-as-blob",
    ] {
        assert_refused(&stopped(&host, &format!("handle {order}")), order);
    }
}

#[test]
fn what_was_given_away_is_not_kept() {
    let host = host(|host| host);
    wait(async {
        let mut session = host.session().await.unwrap();
        let plan = ordered(&mut session, "once").await;
        let given = session.archive(plan).await.unwrap();
        let again = session.diagnostics(plan).await.unwrap_err();
        assert_refused(&again, "once");
        assert_eq!(given[0].as_bytes().unwrap(), "given", "the host has it all the same");
    });
}

#[test]
fn nothing_is_given_twice() {
    let host = host(|host| host);
    wait(async {
        let mut session = host.session().await.unwrap();
        let plan = ordered(&mut session, "twice").await;
        assert_refused(&session.archive(plan).await.unwrap_err(), "twice");
    });
}
