//! The installer alone, in images with settings of their own: which settings it takes, and whether uv or pip then
//! installs.

use flowhold_tests::{Done, Folder, environment};

use crate::{
    daemon::docker,
    index::{Index, wheel, wheel_name},
    project::unique,
    tls::certify,
};

/// `install REQUIREMENT [uv | pip]` installs the requirement, `installed PACKAGE` prints its installer and version.
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

    /// Runs these commands, installs a package that only the index has, and returns its installer and its version.
    fn installed(&self, variables: &[&str], before: &str, more: &str) -> String {
        let package = unique();
        self.index.publish(&package, "1.0");
        self.index.publish(&package, "1.1");
        let script = format!("{before}\ninstall {package} {more}\ninstalled {package}");
        let done = self.run(variables, &script.replace("URL", &self.index.url)).ok();
        done.stdout.trim_end().rsplit("by ").next().unwrap_or_default().to_owned()
    }
}

#[test]
fn files_that_name_an_index_are_heeded() {
    let containers = Containers::new();
    let pip = |file: &str| format!("mkdir -p $(dirname {file}); printf '[global]\\nextra-index-url = URL\\n' > {file}");
    let uv = |file: &str| {
        format!("mkdir -p $(dirname {file}); printf '[[index]]\\nurl = \"URL\"\\ndefault = true\\n' > {file}")
    };
    for (variables, before, installer) in [
        (&[][..], pip("/etc/pip.conf"), "pip"),
        (&["XDG_CONFIG_DIRS=/none:/mine"], pip("/mine/pip/pip.conf"), "pip"),
        (&["XDG_CONFIG_HOME=/mine"], pip("/mine/pip/pip.conf"), "pip"),
        (&[], uv("/etc/uv/uv.toml"), "uv"),
        (&[], uv("/root/.config/uv/uv.toml"), "uv"),
        (&["XDG_CONFIG_HOME=/mine"], uv("/mine/uv/uv.toml"), "uv"),
    ] {
        assert_eq!(containers.installed(variables, &before, ""), format!("{installer} 1.1"), "{before}");
    }
}

#[test]
fn uv_is_told_what_pip_is() {
    let containers = Containers::new();
    let url = &containers.index.url;
    let index = format!("PIP_INDEX_URL={url}");
    assert_eq!(containers.installed(&[&index], "", ""), "uv 1.1");
    assert_eq!(containers.installed(&[&index, "PIP_DEFAULT_TIMEOUT=7.5"], "", ""), "uv 1.1");

    let package = unique();
    containers.index.publish(&package, "1.0");
    containers.index.publish(&package, "1.1");
    for more in ["", "uv"] {
        let script = format!("echo '{package}<1.1' > /tmp/most; install {package} {more}; installed {package}");
        let done = containers.run(&[&index, "PIP_CONSTRAINT=/tmp/most"], &script).ok();
        assert!(done.stdout.ends_with("by uv 1.0\n"), "{done:?}");
    }

    // Folders of wheels: one that isn't there, one of the user's, an absolute one.
    let packages = [unique(), unique()];
    for (package, folder) in packages.iter().zip(["a", "b"]) {
        containers.folder.write(&format!("{folder}/{}", wheel_name(package, "1.0")), wheel(package, "1.0"));
    }
    let [one, other] = &packages;
    let script = format!("install '{one}\n{other}'; installed {one}; installed {other}");
    let done = containers.run(&[&index, "HOME=/work", "PIP_FIND_LINKS=/none ~/a /work/b"], &script).ok();
    assert!(done.stdout.ends_with("by uv 1.0\nby uv 1.0\n"), "{done:?}");

    let done = containers.run(&[&index, "PIP_PRE=1"], "install none-such-package uv");
    assert!(done.code == 1 && done.stdout.contains("uv does not know the setting PIP_PRE"), "{done:?}");
}

/// As uv does by default: otherwise anybody could replace a private package by publishing a higher version elsewhere.
#[test]
fn what_an_extra_index_has_is_taken_from_there() {
    let (containers, private, package) = (Containers::new(), Index::new(), unique());
    containers.index.publish(&package, "2.0");
    private.publish(&package, "1.0");
    let variables = [format!("PIP_INDEX_URL={}", containers.index.url), format!("PIP_EXTRA_INDEX_URL={}", private.url)];
    let [index, extra] = variables.each_ref().map(String::as_str);
    let script = format!("install {package}; installed {package}");
    let done = containers.run(&[index, extra], &script).ok();
    assert!(done.stdout.ends_with("by uv 1.0\n") && done.stdout.contains("no other index is asked"), "{done:?}");
    let done = containers.run(&[index, extra, "UV_INDEX_STRATEGY=unsafe-best-match"], &script).ok();
    assert!(done.stdout.ends_with("by uv 2.0\n") && !done.stdout.contains("no other index is asked"), "{done:?}");
}

#[test]
fn what_is_built_on_one_system_is_for_no_other() {
    let containers = Containers::new();
    let package = unique();
    containers.index.publish(&package, "1.0");
    // Each system needs an uv of its own, which comes from the public index.
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
    // A version is not taken for an HTTP status.
    let package = unique();
    containers.index.publish(&package, "1.0");
    let done = containers.run(&[&index], &format!("install {package}==1.500"));
    assert!(done.code == 1 && done.stdout.contains("==1.500"), "{done:?}");
}

#[test]
fn pip_installs_what_uv_has_no_word_for() {
    let containers = Containers::new();
    for (requirement, is_pips) in [
        ("six @ hg+https://localhost:1/six", true),
        ("six@\tHG+https://localhost:1/six", true),
        ("six @ git+https://localhost:1/six@hg+x", false),
    ] {
        let done = containers.run(&[], &format!("install '{requirement}'"));
        let by_pip = done.stdout.contains("pip installs, because uv installs nothing from hg\n");
        assert!(done.code != 0 && by_pip == is_pips, "{done:?}");
    }
}

#[test]
fn uv_trusts_whom_pip_does() {
    let containers = Containers::new();
    certify(containers.folder.path());
    let package = unique();
    let wheel_name = wheel_name(&package, "1.0");
    containers.folder.write(&wheel_name, wheel(&package, "1.0"));
    containers.folder.write("tls_index.py", include_str!("tls_index.py"));
    let install = format!("python -B /work/tls_index.py {package} {wheel_name}");
    let nobody = "unset PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE";
    for before in [
        "PIP_CERT=/work/ca.pem",
        "unset PIP_CERT; REQUESTS_CA_BUNDLE=/work/ca.pem",
        &format!("{nobody}; export CURL_CA_BUNDLE=/work/ca.pem"),
        &format!("{nobody}; export SSL_CERT_FILE=/work/ca.pem"),
        &format!("{nobody}; unset SSL_CERT_FILE; cp /work/ca.pem /etc/ssl/certs/ca-certificates.crt"),
    ] {
        let script = format!("{before}\n{install}\ninstalled {package}");
        let done = containers.run(&[], &script);
        assert!(done.code == 0 && done.stdout.ends_with("by uv 1.0\n"), "{before}: {done:?}");
    }
    let done = containers.run(&[], &install);
    assert!(done.code != 0 && done.stdout.ends_with(": invalid peer certificate: UnknownIssuer\n"), "{done:?}");
}
