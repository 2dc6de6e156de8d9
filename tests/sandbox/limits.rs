//! Memory, time and the size of what crosses the boundary have limits, and a guest that breaks one harms no other.

use std::time::Duration;

use crate::guest::{alone, host, obeyed, ordered, stopped, wait};

#[test]
fn what_a_guest_does_to_itself_stops_it_alone() {
    let host = host(|host| host.deadline(Duration::from_secs(20)));
    for (order, code) in [
        ("trap", "core-stopped"),
        ("grow", "memory-limit"),
        ("recurse", "core-stopped"),
        ("blobs 100", "core-stopped"),
        ("handles 3000000", "core-stopped"),
    ] {
        let failure = stopped(&host, order);
        assert_eq!(failure.code, code, "{order}: {failure:?}");
    }
    let failure = stopped(&host, "blobs 100");
    assert!(failure.message.contains("too many bytes"), "{failure:?}");
}

#[test]
fn handles_that_are_dropped_are_given_back() {
    let host = host(|host| host);
    wait(async {
        let mut session = host.session().await.unwrap();
        for _ in 0..20 {
            assert_eq!(obeyed(&mut session, "blobs 50").await.unwrap(), ["50"]);
        }
    });
}

#[test]
fn a_guest_that_loops_is_stopped_while_others_go_on() {
    let host = host(|host| host.deadline(Duration::from_millis(300)));
    wait(async {
        let mut looping = host.session().await.unwrap();
        let mut other = host.session().await.unwrap();
        let mut rounds = 0;
        let work = async {
            loop {
                assert_eq!(obeyed(&mut other, "say 3").await.unwrap(), ["xxx"]);
                rounds += 1;
                tokio::task::yield_now().await;
            }
        };
        // Both run in one thread, the looping guest first: the other gets no turn unless the looping guest yields.
        let looped = tokio::select! {
            biased;
            looped = obeyed(&mut looping, "loop") => looped,
            () = work => unreachable!(),
        };
        assert_eq!(looped.unwrap_err().code, "deadline");
        assert!(rounds > 0);
    });
    // Each call has its own deadline.
    wait(async {
        let mut session = host.session().await.unwrap();
        for _ in 0..200 {
            obeyed(&mut session, "say 1000").await.unwrap();
        }
    });
}

#[test]
fn huge_answers_are_refused() {
    let host = host(|host| host.memory_limit(1 << 30));
    wait(async {
        let mut session = host.session().await.unwrap();
        let plan = ordered(&mut session, "500000000").await;
        assert_eq!(session.dockerfile(plan).await.unwrap_err().code, "core-stopped");
        // A list whose elements are together larger than the guest itself.
        let mut session = host.session().await.unwrap();
        let plan = ordered(&mut session, "900").await;
        assert_eq!(session.planned_flows(plan).await.unwrap_err().code, "core-stopped");
    });
    assert_eq!(alone(&host, "read-far").unwrap(), "0");
}
