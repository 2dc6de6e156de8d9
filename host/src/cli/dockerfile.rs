//! `flowhold dockerfile`: the specification's `create_dockerfile_object`.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use flowhold::{
    Failure, Need,
    blob::Pieces,
    progress::{clean, without_passwords},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Format, SpecArguments, console, exit, output, planning::Planned};

#[derive(Args)]
#[command(after_help = "Examples:
  flowhold dockerfile context && docker build context
  flowhold dockerfile - | docker build -")]
pub(crate) struct Arguments {
    /// The directory, made if it is missing; nothing in it is overwritten. `-` writes the context as tar to stdout
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    spec: SpecArguments,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

pub(crate) async fn dockerfile(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Planned { spec, mut session, plan, interrupt } = arguments.spec.plan(Need::Build).await?;
    console::show(&session.diagnostics(plan).await?, &spec.name);
    if let Err(failure) = session.need_plan(plan).await {
        return Ok(exit::code(&failure));
    }
    let flags = flags(&serde_json::from_str(&session.resolved_spec(plan).await?).unwrap_or_default());
    if !flags.is_empty() {
        console::note(&format!("note: `docker build` needs the rest of the spec as flags:{flags}"));
    }
    let archive = Pieces::of(session.archive(plan).await?);
    let archive = Interruptible { archive, interrupt: interrupt.clone() };
    let dir = arguments.dir;
    if dir == Path::new("-") {
        return exit::until_blocked(&interrupt, WRITING, || console::stream(archive)).await;
    }
    // The top-level names of the plan's context: if none of them exists, nothing can be overwritten.
    let context = session.context(plan).await?;
    let names = context.iter().filter_map(|entry| entry.path.split('/').next());
    let top: BTreeSet<_> = names.chain(["Dockerfile"]).map(|name| dir.join(name)).collect();
    if let Some(taken) = top.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::input("path-taken", format!("{} exists already", taken.display()))
            .with_help("nothing was written; name an empty directory"));
    }
    if let Some(ignored) = IGNORING.map(|name| dir.join(name)).iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::input(
            "path-taken",
            format!("{} would keep docker from what is built", ignored.display()),
        )
        .with_help("nothing was written; name an empty directory"));
    }
    unpack(archive, &dir).map_err(|error| {
        // Removes half a context, which would be in the way of the next try, but nothing that somebody else has made.
        for path in top.iter().filter(|_| error.kind() != io::ErrorKind::AlreadyExists) {
            // The first error is the one that matters.
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        if interrupt.is_cancelled() {
            return exit::interrupted(format!("interrupted while {WRITING}"));
        }
        Failure::of_path(dir.display(), &error)
    })?;
    console::made(&dir.join("Dockerfile"), arguments.format)
}

/// The build settings of a spec that no Dockerfile can hold, as flags of `docker build`.
fn flags(resolved: &Value) -> String {
    let storage = &resolved["storage"];
    let mut flags = String::new();
    let mut add = |name: &str, value: &str| {
        let value = without_passwords(value);
        // A shell takes these characters as they are.
        let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
        let value = clean(&value);
        let quoted = if value.chars().all(is_plain) {
            value.into_owned()
        } else {
            format!("'{}'", value.replace('\'', r"'\''"))
        };
        flags.push_str(&format!(" --{name} {quoted}"));
    };
    for name in ["platform", "network"] {
        storage[name].as_str().into_iter().for_each(|value| add(name, value));
    }
    for (name, value) in storage["build_args"].as_object().into_iter().flatten() {
        add("build-arg", &format!("{name}={}", value.as_str().unwrap_or_default()));
    }
    if storage["cache_to"].is_string() {
        // The only possible value: the cache is in the image.
        add("build-arg", "BUILDKIT_INLINE_CACHE=1");
    }
    for secret in storage["secrets"].as_array().into_iter().flatten() {
        let word = |key: &str| secret[key].as_str();
        let source = word("env").map(|name| format!("env={name}")).or_else(|| Some(format!("src={}", word("file")?)));
        add("secret", &format!("id={},{}", word("id").unwrap_or_default(), source.unwrap_or_default()));
    }
    for image in storage["cache_from"].as_array().into_iter().flatten() {
        add("cache-from", image.as_str().unwrap_or_default());
    }
    flags
}

fn unpack(archive: Interruptible, dir: &Path) -> io::Result<()> {
    output::make_directory(dir)?;
    let mut archive = tar::Archive::new(archive);
    archive.set_overwrite(false);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(false);
    archive.unpack(dir)
}

const WRITING: &str = "writing the build context";

/// Files that make docker leave out parts of a context.
const IGNORING: [&str; 2] = [".dockerignore", "Dockerfile.dockerignore"];

/// The archive; reading it fails once a signal has come.
struct Interruptible {
    archive: Pieces,
    interrupt: CancellationToken,
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.is_cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        self.archive.read(buffer)
    }
}
