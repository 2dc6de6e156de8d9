//! A folder with a spec, whose images no other test builds. The images stay in the daemon, which ends with the tests.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use flowhold_tests::{Done, Folder, environment};
use serde_json::Value;

use crate::daemon::{building, docker, forget};

/// The values of `DOCKER_BUILDKIT` for BuildKit and for the classic builder.
pub(crate) const BUILDERS: [&str; 2] = ["1", "0"];

/// The storage.json of an earlier build.
pub(crate) const BEFORE: &str = r#"{"type": "Memory"}"#;

/// A Docker storage to be built.
pub(crate) struct Project {
    pub(crate) folder: Folder,
    /// Name of the image, and the value of MARK in the environment of its containers.
    pub(crate) name: String,
}

impl Project {
    /// A spec with these further lines in `[storage]`, and a table for each flow. The image goes to the open registry
    /// as `tests/<name>:v1`, and is built on the environment's base image, unless the lines say otherwise.
    pub(crate) fn new(storage: &str, flows: &[&str]) -> Self {
        Self::named(unique(), storage, flows)
    }

    /// A project with the given name, which another project may have, too.
    pub(crate) fn named(name: String, storage: &str, flows: &[&str]) -> Self {
        let mut lines = vec!["type = \"docker\"".to_owned(), format!("env_vars.MARK = {}", quoted(&name))];
        for (key, value) in [
            ("registry_url", format!("{}/tests", environment("FLOWHOLD_TEST_REGISTRY"))),
            ("base_image", environment("FLOWHOLD_TEST_BASE_IMAGE")),
            ("image_name", name.clone()),
            ("image_tag", "v1".to_owned()),
        ] {
            if !storage.lines().any(|line| line.starts_with(key)) {
                lines.push(format!("{key} = {}", quoted(&value)));
            }
        }
        // A line with an empty value leaves the default out.
        lines.extend(storage.lines().filter(|line| !line.ends_with("= ")).map(str::to_owned));
        let flows: String = flows.iter().map(|flow| format!("[[flows]]\n{flow}\n")).collect();
        let folder = Folder::with_spec(&format!("[storage]\n{}\n{flows}", lines.join("\n")));
        Self { folder, name }
    }

    /// A project whose only flow is `flow.py`, a script with this text.
    pub(crate) fn of_script(storage: &str, script: &str) -> Self {
        let project = Self::new(storage, &["path = \"flow.py\""]);
        project.folder.write("flow.py", script);
        project
    }

    /// The image's reference, unless the spec gives another name.
    pub(crate) fn reference(&self) -> String {
        format!("{}/tests/{}:v1", environment("FLOWHOLD_TEST_REGISTRY"), self.name)
    }

    /// Builds, and returns what happened.
    pub(crate) fn try_build(&self, more: &[&str]) -> Done {
        building(&mut self.folder.command(&[&["build", "--format", "json"], more].concat()))
    }

    /// Builds with one of the [`BUILDERS`], and returns what happened.
    pub(crate) fn try_build_by(&self, builder: &str, more: &[&str]) -> Done {
        let mut command = self.folder.command(&[&["build", "--format", "json"], more].concat());
        building(command.env("DOCKER_BUILDKIT", builder))
    }

    /// Builds, and returns the report.
    #[track_caller]
    pub(crate) fn build(&self, more: &[&str]) -> Value {
        self.try_build(more).ok().json()
    }

    /// Builds with one of the [`BUILDERS`], and returns the report.
    #[track_caller]
    pub(crate) fn build_by(&self, builder: &str, more: &[&str]) -> Value {
        self.try_build_by(builder, more).ok().json()
    }

    /// A Flowhold command, about to be run, with temporary files in a directory of this folder and its output in pipes.
    pub(crate) fn watched(&self, arguments: &[&str]) -> Command {
        let temporary = self.folder.path().join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        let mut command = self.folder.command(arguments);
        command.env("TMPDIR", temporary).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Asserts that no `watched` command has left a temporary file.
    #[track_caller]
    pub(crate) fn has_no_temporary_files(&self) {
        let left: Vec<_> = std::fs::read_dir(self.folder.path().join("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// The storage.json beside the spec.
    #[track_caller]
    pub(crate) fn storage(&self) -> Value {
        serde_json::from_str(&self.storage_text()).unwrap()
    }

    /// The text of the storage.json beside the spec.
    #[track_caller]
    pub(crate) fn storage_text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("storage.json")).unwrap()
    }
}

/// A name that no other test has.
pub(crate) fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The Python that a base image of the environment has, such as `3.9`.
pub(crate) fn minor(variable: &str) -> String {
    let image = environment(variable);
    let (_, tag) = image.rsplit_once(':').unwrap();
    tag.trim_end_matches("-slim").to_owned()
}

/// A string as TOML has it. JSON escapes the same way.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Another name for an image, for as long as this lives.
pub(crate) struct Tagged(pub(crate) String);

impl Tagged {
    /// Gives the image another name.
    pub(crate) fn new(image: &str, name: String) -> Self {
        docker(&["tag", image, &name]).ok();
        Self(name)
    }
}

impl Drop for Tagged {
    fn drop(&mut self) {
        forget(&self.0);
    }
}
