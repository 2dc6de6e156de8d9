//! Builds guests from source, and gives the hostile guest its orders.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use flowhold::{Failure, Host, HostBuilder, Need, Plan, Session, SpecText};

/// The hostile guest as a component, compiled once for all tests.
fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| built("flowhold-hostile-guest"))
}

/// Builds a package of the workspace as a user would, and makes a component of it.
pub(crate) fn built(package: &str) -> Vec<u8> {
    flowhold::policy::component_of(&std::fs::read(module(package)).unwrap()).unwrap()
}

/// Builds a package of the workspace, and returns the path of its module.
pub(crate) fn module(package: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = root.join("target/guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", package, "--profile", "component-dev"])
        .args(["--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        .current_dir(&root)
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(built.success(), "{package} can't be built");
    target.join("wasm32-unknown-unknown/component-dev").join(format!("{}.wasm", package.replace('-', "_")))
}

/// A host that runs the hostile guest in the core's place, with as little memory as the guest needs.
pub(crate) fn host(set: impl FnOnce(HostBuilder) -> HostBuilder) -> Host {
    set(Host::builder().memory_limit(64 << 20)).component(component()).build().unwrap()
}

/// Runs a future on this thread, in a runtime of its own.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Gives the guest its orders.
pub(crate) async fn ordered(session: &mut Session, orders: &str) -> Plan {
    let spec = SpecText { text: orders.to_owned(), folder: "/".into() };
    session.plan(&spec, None, Need::Preview).await.unwrap()
}

/// The result of each order.
pub(crate) async fn obeyed(session: &mut Session, orders: &str) -> Result<Vec<String>, Failure> {
    let plan = ordered(session, orders).await;
    Ok(session.diagnostics(plan).await?.into_iter().map(|one| one.message).collect())
}

/// The result of one order, in its own session.
pub(crate) fn alone(host: &Host, order: &str) -> Result<String, Failure> {
    wait(async {
        let mut session = host.session().await.unwrap();
        Ok(obeyed(&mut session, order).await?.remove(0))
    })
}

/// Runs an order beside a session that must not notice, and returns how it was stopped.
pub(crate) fn stopped(host: &Host, order: &str) -> Failure {
    wait(async {
        let mut other = host.session().await.unwrap();
        let mut broken = host.session().await.unwrap();
        let failure = obeyed(&mut broken, order).await.unwrap_err();
        assert_eq!(obeyed(&mut other, "say 3").await.unwrap(), ["xxx"], "{order}");
        let mut new = host.session().await.unwrap();
        assert_eq!(obeyed(&mut new, "say 3").await.unwrap(), ["xxx"], "{order}");
        failure
    })
}
