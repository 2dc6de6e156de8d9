//! The installer alone, in images with settings of their own: what it is told by whom, and by which program it obeys.

use flowhold_tests::{Done, Folder, environment};

use crate::{
    daemon::docker,
    index::Index,
    project::unique,
};

/// `install REQUIREMENT [uv | pip]` does so, `installed PACKAGE` says by whom and which.
const COMMANDS: &str = r#"
set -e
install() { echo "$1" > /tmp/requirements; shift; python -B /work/install.py /tmp/requirements "$@"; }
installed() {
    python -c 'import importlib.metadata as all, sys
one = all.distribution(sys.argv[1])
print("by", one.read_text("INSTALLER").strip(), one.version)' "$1"
}
"#;

/// Containers that share the installer's cache: the first one downloads uv.
struct Containers {
    folder: Folder,
    index: Index,
}

impl Containers {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("install.py", include_str!("../../core/src/install.py"));
        std::fs::create_dir(folder.path().join("cache")).unwrap();
        let containers = Self { folder, index: Index::new() };
        let find = "cd /work; python -Bc 'import install; kept = install.cache(); install.find_uv(kept, kept)'";
        containers.run(&[], find).ok();
        containers
    }

    /// Runs a script in a container with these variables.
    fn run(&self, variables: &[&str], script: &str) -> Done {
        let work = format!("{}:/work", self.folder.path().display());
        let cache = format!("{}:/dev/shm/flowhold", self.folder.path().join("cache").display());
        let mut arguments = vec!["run", "--rm", "--network", "host", "--volume", &work, "--volume", &cache];
        arguments.extend(variables.iter().flat_map(|variable| ["--env", variable]));
        let base = environment("FLOWHOLD_TEST_BASE_IMAGE");
        let script = format!("{COMMANDS}\n{script}");
        arguments.extend([&base, "sh", "-c", &script]);
        docker(&arguments)
    }

    /// Who installed a package that only the index has, and which version; after these commands.
    fn installed(&self, variables: &[&str], before: &str, more: &str) -> String {
        let package = unique();
        self.index.publish(&package, "1.0");
        self.index.publish(&package, "1.1");
        let (url, by) = (&self.index.url, "by ");
        let script = format!("{before}\ninstall {package} {more}\ninstalled {package}").replace("URL", url);
        let done = self.run(variables, &script).ok();
        let last = done.stdout.lines().last().and_then(|line| line.strip_prefix(by));
        last.unwrap_or_else(|| panic!("{done:?}")).to_owned()
    }
}

#[test]
fn what_is_built_on_one_system_is_for_no_other() {
    let containers = Containers::new();
    let package = unique();
    containers.index.publish(&package, "1.0");
    // Each system has an uv of its own, which the public index has.
    let extra = format!("PIP_EXTRA_INDEX_URL={}", containers.index.url);
    for (system, new) in [("one", true), ("one", false), ("other", true)] {
        containers.run(&[&extra], &format!("echo ID={system} > /etc/os-release; install {package}")).ok();
        let asked = containers.index.asked();
        assert_eq!(asked.iter().any(|path| path.ends_with(".whl")), new, "{system}: {asked:?}");
    }
}

#[test]
fn an_uv_that_is_too_old_or_no_program_is_replaced() {
    let containers = Containers::new();
    let extra = format!("PIP_EXTRA_INDEX_URL={}", containers.index.url);
    let old = "printf '#!/bin/sh\\necho uv 0.4.20\\n' > /usr/bin/uv; chmod +x /usr/bin/uv";
    assert_eq!(containers.installed(&[&extra], old, ""), "uv 1.1");
    let broken = "for uv in $(find /dev/shm/flowhold -path '*/bin/uv'); do echo broken > $uv; done";
    assert_eq!(containers.installed(&[&extra], broken, ""), "uv 1.1");
}

#[test]
fn pip_installs_where_a_system_has_packages_of_its_own() {
    let containers = Containers::new();
    let index = format!("PIP_INDEX_URL={}", containers.index.url);
    let managed = "echo '[externally-managed]' > $(python -c \
                   'import sysconfig; print(sysconfig.get_path(\"stdlib\"))')/EXTERNALLY-MANAGED";
    for installer in ["pip", "uv"] {
        assert_eq!(containers.installed(&[&index], managed, installer), format!("{installer} 1.1"));
    }
}

#[test]
fn what_has_failed_is_said_without_advice_that_does_not_help() {
    let containers = Containers::new();
    let index = format!("PIP_INDEX_URL={}", containers.index.url);
    let done = containers.run(&[&index], "install none-such-package");
    let last = done.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("flowhold: the requirements could not be installed: No solution found"), "{done:?}");
    assert!(done.code == 1 && last.contains(": Because none-such-package was not found"), "{done:?}");
}
