//! Compiles the core to a WebAssembly component, and compiles that ahead of time for the host to embed: once for hosts
//! that limit its time, and once for those that don't.

#![forbid(unsafe_code)]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[path = "src/engine_config.rs"]
mod engine_config;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() -> Result<(), Box<dyn Error>> {
    for watched in
        ["core/src", "core/component", "core/wit", "core/build.rs", "core/Cargo.toml", "Cargo.lock", "Cargo.toml"]
    {
        println!("cargo::rerun-if-changed=../{watched}");
    }
    println!("cargo::rerun-if-changed=src/engine_config.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    need_target()?;
    let module = build_guest(&out)?;
    let component = wit_component::ComponentEncoder::default().module(&fs::read(module)?)?.validate(true).encode()?;
    fs::write(out.join("core.wasm"), &component)?;
    for (name, metered) in [("core.cwasm", false), ("metered.cwasm", true)] {
        let mut config = wasmtime::Config::new();
        engine_config::configure(&mut config, metered);
        // Set even if it is this machine: otherwise the code would require this machine's own CPU features at run time.
        config.target(&env::var("TARGET")?)?;
        let engine = wasmtime::Engine::new(&config)?;
        fs::write(out.join(name), engine.precompile_component(&component)?)?;
    }
    Ok(())
}

/// Adds the target to the toolchain, or says how to add it.
fn need_target() -> Result<(), Box<dyn Error>> {
    let rustc = env::var("RUSTC")?;
    let installed = || {
        let libdir = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
        libdir.is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir())
    };
    if !installed() {
        let added = Command::new("rustup").args(["target", "add", TARGET]).status();
        if !added.is_ok_and(|status| status.success()) || !installed() {
            return Err(format!(
                "the core is compiled to {TARGET}, which this Rust lacks; run: rustup target add {TARGET}"
            )
            .into());
        }
    }
    Ok(())
}

fn build_guest(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let profile = if env::var("PROFILE")? == "release" { "component" } else { "component-dev" };
    // Beside the host's own artifacts and not within OUT_DIR, which differs between `check`, `build` and `test`.
    let target_dir = out.ancestors().nth(4).unwrap_or(out).join("component");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["build", "--package", "flowhold-component", "--target", TARGET, "--profile", profile, "--quiet"]);
    cargo.arg("--target-dir").arg(&target_dir).current_dir("..");
    // The host's settings must not reach the guest: flags, linkers, clippy as a wrapper, coverage.
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        const NAMES: [&str; 4] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_TARGET_DIR", "TARGET"];
        const STARTS: [&str; 6] =
            ["RUSTC", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PROFILE_", "CARGO_BUILD_RUST", "CARGO_BUILD_TARGET"];
        if NAMES.contains(&name) || STARTS.iter().any(|start| name.starts_with(start)) {
            cargo.env_remove(name);
        }
    }
    if !cargo.status()?.success() {
        return Err("compiling the core to WebAssembly failed; the messages are above".into());
    }
    Ok(target_dir.join(TARGET).join(profile).join("flowhold_component.wasm"))
}
