//! Registries that are killed in the middle of a push or a pull, and come back at once, or not.

use std::sync::Arc;

use crate::{
    daemon::has_images_in_containerd,
    faults::{Remote, built, published_at},
    project::Project,
    proxy::{Fault, Proxy},
    registry::Registry,
};

/// In MiB: more than the kernel buffers between the registry and the daemon.
const LARGE: u64 = 32;

/// A registry of the test's own, and the proxy in front of it.
fn killable() -> (Arc<Registry>, Arc<Proxy>) {
    let registry = Registry::new();
    let proxy = Proxy::of(&registry.address);
    (Arc::new(registry), Arc::new(proxy))
}

/// The requests that carry a layer, and the one that carries the manifest.
pub(crate) fn pushes() -> [&'static [&'static str]; 2] {
    let layer = if has_images_in_containerd() { &["PUT", "/blobs/uploads/"] } else { &["PATCH", "/blobs/uploads/"] };
    [layer, &["PUT", "/manifests/"]]
}

/// Arranges that the registry is killed in the middle of the next request of this kind, and started again.
fn restarts(registry: &Arc<Registry>, proxy: &Proxy, parts: &'static [&'static str]) {
    let registry = Arc::clone(registry);
    let restart = move || {
        registry.kill();
        registry.restart();
    };
    proxy.fail(parts, 1, Fault::During(Arc::new(restart)));
}

/// Arranges that the registry is killed in the middle of the next request of this kind, and stays away.
fn goes(registry: &Arc<Registry>, proxy: &Arc<Proxy>, parts: &'static [&'static str]) {
    let (registry, other) = (Arc::clone(registry), Arc::clone(proxy));
    let go = move || {
        registry.kill();
        other.close();
    };
    proxy.fail(parts, 1, Fault::During(Arc::new(go)));
}

fn comes_back(registry: &Registry, proxy: &Proxy) {
    registry.restart();
    proxy.open();
}

/// Asserts that the image was pushed: the storage says so, and the registry has the image.
#[track_caller]
fn pushed(project: &Project, registry: &Registry, name: &str) {
    let digest = published_at(&registry.address, name).unwrap();
    assert_eq!(project.storage()["digest"], digest);
    assert!(registry.has_whole(&digest), "{digest}");
}

#[test]
fn a_push_outlives_a_restart() {
    for parts in pushes() {
        let (registry, proxy) = killable();
        let (project, name) = built(&proxy);
        restarts(&registry, &proxy, parts);
        project.folder.run(&["push"]).ok();
        assert_eq!(proxy.heal(), 1, "{parts:?}");
        pushed(&project, &registry, &name);
    }
}

#[test]
fn a_push_to_one_that_stays_away_publishes_nothing() {
    for parts in pushes() {
        let (registry, proxy) = killable();
        let (project, name) = built(&proxy);
        let before = project.storage_text();
        goes(&registry, &proxy, parts);
        let done = project.folder.run(&["push"]).fails(69, &[&name, "refused", "that the registry is running"]);
        // The daemon itself asks again about layers, for a minute.
        assert!(done.stderr.contains("attempt 4 of 4") == (parts[0] == "PUT"), "{done:#?}");
        assert_eq!(proxy.heal(), 1, "{parts:?}");
        assert_eq!(project.storage_text(), before);
        comes_back(&registry, &proxy);
        assert_eq!(published_at(&registry.address, &name), None);
        project.folder.run(&["push"]).ok();
        pushed(&project, &registry, &name);
    }
}

/// Like a registry that was killed while it wrote the manifest: it believes that it has the manifest, but its file is
/// empty.
#[test]
fn what_a_registry_has_lost_was_not_pushed() {
    let (registry, proxy) = killable();
    let (project, name) = built(&proxy);
    project.folder.run(&["push"]).ok();
    pushed(&project, &registry, &name);
    registry.lose(project.storage()["digest"].as_str().unwrap());
    proxy.fail(&["PUT", "/manifests/"], 1, Fault::Answer("503 Service Unavailable"));
    project.folder.run(&["push"]).fails(75, &[&name, "attempt 2 of 4"]);
}

#[test]
fn a_pull_outlives_a_restart() {
    let (registry, proxy) = killable();
    let remote = Remote::at(&registry.address, LARGE);
    for parts in [&["GET", "/blobs/"][..], &["/manifests/"]] {
        restarts(&registry, &proxy, parts);
        remote.pull(&proxy).ok();
        assert_eq!(proxy.heal(), 1, "{parts:?}");
    }
}

#[test]
fn a_pull_from_one_that_stays_away_gives_no_image() {
    let (registry, proxy) = killable();
    let remote = Remote::at(&registry.address, LARGE);
    goes(&registry, &proxy, &["GET", "/blobs/"]);
    remote.pull(&proxy).fails(69, &[&proxy.address, "refused", "that the registry is running"]);
    assert_eq!(proxy.heal(), 1);
    comes_back(&registry, &proxy);
    remote.pull(&proxy).ok();
}
