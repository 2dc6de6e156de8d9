//! Credentials for registries come from where `docker login` keeps them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use flowhold_tests::{Done, Folder, environment};
use serde_json::{Value, json};

use crate::{
    daemon::{docker, forget, has_image},
    project::{Project, quoted, unique},
};

fn registry() -> String {
    environment("FLOWHOLD_TEST_AUTH_REGISTRY")
}

/// A project whose image goes to the registry that wants a password, unless `storage` says otherwise.
fn project(storage: &str) -> Project {
    let url = format!("registry_url = {}", quoted(&format!("{}/tests", registry())));
    Project::of_script(&if storage.is_empty() { url } else { storage.to_owned() }, "print('x')\n")
}

/// Runs the binary with this Docker configuration, and with the programs in the folder before all others.
fn with_config(project: &Project, config: Option<&str>, arguments: &[&str]) -> Done {
    let folder = project.folder.path();
    if let Some(config) = config {
        project.folder.write("config/config.json", config);
    }
    let path = format!("{}:{}", folder.display(), environment("PATH"));
    let mut command = project.folder.command(arguments);
    Done::of(command.env("DOCKER_CONFIG", folder.join("config")).env("PATH", path).output().unwrap())
}

/// The configuration that `docker login` itself writes.
fn logged_in() -> String {
    let folder = Folder::new();
    let config = folder.path().to_str().unwrap();
    let (user, password) = (environment("FLOWHOLD_TEST_AUTH_USER"), environment("FLOWHOLD_TEST_AUTH_PASSWORD"));
    docker(&["--config", config, "login", "--username", &user, "--password", &password, &registry()]).ok();
    fs::read_to_string(folder.path().join("config.json")).unwrap()
}

fn base64(text: &str) -> String {
    let program = "import base64, sys; print(base64.b64encode(sys.argv[1].encode()).decode(), end='')";
    let mut python = Command::new(environment("FLOWHOLD_TEST_BASE_PYTHON"));
    String::from_utf8(python.args(["-c", program, text]).output().unwrap().stdout).unwrap()
}

/// A credential helper that gives this answer for the registry, and knows no other.
fn helper(project: &Project, name: &str, answer: &str, code: i32) {
    let script = format!(
        "#!/bin/sh\nread -r server\n\
         [ \"$1 $server\" = 'get {}' ] || {{ echo 'credentials not found in native keychain'; exit 1; }}\n\
         cat <<'END'\n{answer}\nEND\nexit {code}\n",
        registry()
    );
    let path = project.folder.write(&format!("docker-credential-{name}"), script);
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn secret() -> String {
    json!({
        "ServerURL": registry(),
        "Username": environment("FLOWHOLD_TEST_AUTH_USER"),
        "Secret": environment("FLOWHOLD_TEST_AUTH_PASSWORD"),
    })
    .to_string()
}

fn helpers(name: &str) -> Value {
    let mut helpers = json!({ "credHelpers": {} });
    helpers["credHelpers"][registry()] = json!(name);
    helpers
}

#[test]
fn right_ones_let_an_image_in() {
    let entry = logged_in();
    assert!(entry.contains("auths"), "{entry}");
    let store = json!({ "credsStore": "test" });
    let mut both = store.clone();
    both["auths"] = serde_json::from_str::<Value>(&entry).unwrap()["auths"].take();
    for (what, config, helped) in [
        ("auths", entry, None),
        ("credHelpers", helpers("test").to_string(), Some((secret(), 0))),
        ("credsStore", store.to_string(), Some((secret(), 0))),
        ("a store that lacks them", both.to_string(), Some(("credentials not found in native keychain".to_owned(), 1))),
    ] {
        let project = project("");
        if let Some((answer, code)) = helped {
            helper(&project, "test", &answer, code);
        }
        let done = with_config(&project, Some(&config), &["build", "--format", "json"]);
        assert_eq!(done.code, 0, "{what}: {done:#?}");
        let report = done.json();
        assert_eq!(report["pushed"], true, "{what}");
        assert!(report["digest"].is_string(), "{what}: {report:#}");
        assert_eq!(with_config(&project, Some(&config), &["push"]).code, 0, "{what}");
    }
}

#[test]
fn wrong_or_missing_ones_are_told_with_the_way_to_log_in() {
    let login = format!("docker login {}", registry());
    let user = environment("FLOWHOLD_TEST_AUTH_USER");
    let mut wrong = json!({ "auths": {} });
    wrong["auths"][registry()] = json!({ "auth": base64(&format!("{user}:guess")) });
    let mut broken = json!({ "auths": {} });
    broken["auths"][registry()] = json!({ "auth": "***" });
    let unknown = Some(("credentials not found in native keychain", 1));
    for (what, config, helped, code, words) in [
        ("no file", None, None, 69, vec![login.as_str()]),
        ("an empty file", Some(json!({})), None, 69, vec![&login]),
        ("a wrong password", Some(wrong), None, 69, vec![&login]),
        ("a helper without them", Some(helpers("test")), unknown, 69, vec![&login]),
        ("a missing helper", Some(helpers("none")), None, 69, vec!["docker-credential-none"]),
        ("a failing helper", Some(helpers("test")), Some(("the vault is shut", 3)), 69, vec!["the vault is shut"]),
        ("a babbling helper", Some(helpers("test")), Some(("hello", 0)), 69, vec!["docker-credential-test"]),
        ("an unreadable entry", Some(broken), None, 1, vec![&registry(), "config.json", &login]),
        ("no JSON object", Some(json!([1])), None, 1, vec!["config.json"]),
    ] {
        let project = project("");
        if let Some((answer, code)) = helped {
            helper(&project, "test", answer, code);
        }
        let config = config.map(|config| config.to_string());
        let done = with_config(&project, config.as_deref(), &["build", "--format", "json"]);
        assert_eq!(done.code, code, "{what}: {done:#?}");
        for word in words {
            assert!(done.stderr.contains(word), "{what}: {word:?} is not in {done:#?}");
        }
        assert!(!done.stderr.contains("guess") && !done.stderr.contains(&environment("FLOWHOLD_TEST_AUTH_PASSWORD")));
        assert!(!project.folder.path().join("storage.json").exists(), "{what}");
    }
}

#[test]
fn a_base_image_is_pulled_with_them() {
    let config = logged_in();
    let base = format!("{}/tests/{}:base", registry(), unique());
    let project = project(&format!("base_image = {}\nregistry_url = ", quoted(&base)));
    project.folder.write("config/config.json", &config);
    let folder = project.folder.path().join("config");
    docker(&["tag", &environment("FLOWHOLD_TEST_BASE_IMAGE"), &base]).ok();
    docker(&["--config", folder.to_str().unwrap(), "push", &base]).ok();
    forget(&base);

    let login = format!("docker login {}", registry());
    with_config(&project, Some("{}"), &["pull"]).fails(69, &[&base, &login]);
    with_config(&project, Some("{}"), &["build"]).fails(69, &[&base, &login]);
    assert!(!has_image(&base));
    with_config(&project, Some(&config), &["pull"]).ok();
    assert!(has_image(&base));
}
