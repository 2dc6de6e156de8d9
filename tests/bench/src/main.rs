//! Work to be watched from outside: `instructions.sh` counts its instructions, `run.sh` compares it with other programs.
#![expect(clippy::print_stderr, reason = "it is a program")]
#![forbid(unsafe_code)]

use std::{error::Error, fs, hint::black_box, io, path::Path, process::ExitCode};

use flowhold::{Access, Flow, Format, Host, blob::Blob};
use flowhold_bench::{bytes_storage, names, plan, plan_in, runtime, session, spec, spec_text};
use flowhold_core::{
    digest::Digest,
    dockerfile::{self, Mounts},
    slug, snapshot,
};

const USAGE: &str = "usage:
  flowhold-bench WORK SIZE          does plan, session, session-and-plan, render, json, digest, slug, snapshot or
                                    restore once
  flowhold-bench add FROM TO        stores every file of a directory as a flow of another, through the library
  flowhold-bench bare FROM TO       the same with nothing but write and rename
  flowhold-bench synced FROM TO     the same, and file and directory synced each time
  flowhold-bench together FROM TO   the same, but all files are written, then all are synced, then all get their names";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments.as_slice() {
        ["add", from, to] => add(Path::new(from), to),
        ["bare", from, to] => store(Path::new(from), Path::new(to), false),
        ["together", from, to] => store_together(Path::new(from), Path::new(to)),
        ["synced", from, to] => store(Path::new(from), Path::new(to), true),
        [work, size] => count(work, size),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prepares the work, and does it once.
fn count(work: &str, size: &str) -> Result<(), Box<dyn Error>> {
    let size = size.parse()?;
    match work {
        "plan" => {
            let text = spec(size);
            measured(&mut || drop(black_box(plan(&text))));
        }
        "session" | "session-and-plan" => {
            let text = spec_text(spec(size));
            let runtime = runtime();
            let host = Host::builder().build().map_err(|failure| failure.message)?;
            let mut session = runtime.block_on(session(&host));
            if work == "session-and-plan" {
                black_box(runtime.block_on(plan_in(&mut session, &text)));
            }
        }
        "render" => {
            let plan = plan(&spec(size)).plan;
            let plan = plan.as_ref().ok_or("no plan")?;
            measured(&mut || drop(black_box(dockerfile::render(&plan.instructions, Mounts::All))));
        }
        "json" => {
            let preview = plan(&spec(size));
            measured(&mut || drop(black_box(preview.to_json(None))));
        }
        "digest" => {
            let bytes = vec![7; size];
            measured(&mut || {
                black_box(Digest::of(&bytes));
            });
        }
        "slug" => {
            let names = names();
            let names = names.iter().cycle().take(size);
            measured(&mut || names.clone().for_each(|name| drop(black_box(slug::slugify(name)))));
        }
        "snapshot" => {
            let storage = bytes_storage(size);
            measured(&mut || drop(black_box(snapshot::encode(&storage))));
        }
        "restore" => {
            let bytes = snapshot::encode(&bytes_storage(size)).map_err(|failure| failure.message)?;
            measured(&mut || drop(black_box(snapshot::decode(&bytes))));
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// Callgrind counts what happens in here, by the name of this function.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// Adds flows one by one; each is in its place at once.
fn add(from: &Path, to: &str) -> Result<(), Box<dyn Error>> {
    let add = async {
        let host = Host::builder().files(to, Access::Write).build()?;
        let mut session = host.session().await?;
        let storage = session.local(to).await?;
        let failed = |error: io::Error| flowhold::Failure::of_path(from.display(), &error);
        for entry in fs::read_dir(from).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let content = Blob::open(&path).map_err(failed)?;
            session.add_flow(storage, Flow { name, format: Format::Pickle, content }).await?;
        }
        Ok(())
    };
    runtime().block_on(add).map_err(|failure: flowhold::Failure| failure.message.into())
}

/// Stores files one by one, as fast as the file system can.
fn store(from: &Path, to: &Path, sync: bool) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let unfinished = to.join("unfinished");
    let directory = fs::File::open(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let mut file = fs::File::create(&unfinished)?;
        io::Write::write_all(&mut file, &fs::read(&path)?)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&unfinished, to.join(path.file_name().unwrap_or_default()))?;
        if sync {
            directory.sync_all()?;
        }
    }
    Ok(())
}

/// Stores files as fast as the file system can if no file gets its name before all are synced.
fn store_together(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let directory = fs::File::open(to)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_owned();
        let unfinished = to.join(format!(".{}", names.len()));
        fs::write(&unfinished, fs::read(&path)?)?;
        names.push((unfinished, to.join(name)));
    }
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&directory)?;
    for (unfinished, name) in names {
        fs::rename(unfinished, name)?;
    }
    directory.sync_all()?;
    Ok(())
}
