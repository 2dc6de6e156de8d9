//! Secrets, given in every way, must not be in anything that Flowhold and the daemon show afterwards.
//!
//! A secret in plain text in a spec is in everything that repeats the spec: the resolved spec, the storage, the
//! Dockerfile, and the image if it is meant for the image. `literal-secret` warns of it. Nothing else shows it, and a
//! secret from elsewhere is shown nowhere at all.

use std::process::{Command, Stdio};

use flowhold_tests::{Done, Folder, environment};
use serde_json::json;

use crate::{
    daemon::{building, client, docker, forget},
    fake,
    project::{BUILDERS, Project, quoted},
};

const PASSWORD: &str = "pa55word-that-nobody-sees";
/// `me:` and the password in base64, as in Docker's configuration.
const AUTH: &str = "bWU6cGE1NXdvcmQtdGhhdC1ub2JvZHktc2Vlcw==";

#[track_caller]
fn untold(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for secret in [PASSWORD, AUTH] {
        assert!(!text.contains(secret), "{what} tells {secret}: {}", text.chars().take(3000).collect::<String>());
    }
}

/// Runs a command, and checks that neither stream shows a secret.
#[track_caller]
fn quiet(project: &Project, variables: &[(&str, &str)], arguments: &[&str]) -> Done {
    let mut command = project.folder.command(arguments);
    let done = building(command.envs(variables.iter().copied()));
    untold(&format!("{arguments:?}: stdout"), done.stdout.as_bytes());
    untold(&format!("{arguments:?}: stderr"), done.stderr.as_bytes());
    done
}

/// All ways to look at a spec without building it, except those that repeat it.
const LOOKS: [&[&str]; 6] = [
    &["check"],
    &["check", "--format", "json"],
    &["preview"],
    &["preview", "--format", "json"],
    &["preview", "--format", "context"],
    &["dockerfile", "-"],
];

/// Every way to build.
const BUILDS: [&[&str]; 3] = [
    &["build", "--no-push", "--progress", "plain"],
    &["build", "--no-push", "--progress", "json", "--format", "json"],
    &["build", "--no-push", "--progress", "none"],
];

/// Looks for secrets in the saved image: its configuration with history and labels, and all layers, unpacking what is
/// packed in them.
#[track_caller]
fn image_is_quiet(project: &Project) {
    let image = project.reference();
    let mut save = client(&["save", &image]).stdout(Stdio::piped()).spawn().unwrap();
    let mut python = Command::new(environment("FLOWHOLD_TEST_BASE_PYTHON"));
    let saved = python.args(["-c", include_str!("saved.py")]).stdin(save.stdout.take().unwrap()).output().unwrap();
    assert!(save.wait().unwrap().success() && saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    let text = String::from_utf8_lossy(&saved.stdout);
    // The search finds whatever is in the image: a variable, a label, a step, and the content of a flow.
    for there in [project.name.as_str(), "io.flowhold.plan", "health_check.py", SCRIPT] {
        assert!(text.contains(there), "{there}");
    }
    untold("the image", &saved.stdout);
    untold("history", docker(&["history", "--no-trunc", &image]).ok().stdout.as_bytes());
    untold("the image's description", docker(&["image", "inspect", &image]).ok().stdout.as_bytes());
}

const SCRIPT: &str = "print('a flow that is found')\n";

/// How a spec gives a secret.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    /// The spec says where the secret is.
    ByName,
    /// The spec has the secret in plain text.
    Literally,
}

/// Looks at a spec with a secret, builds it in every way, and looks for the secret in everything that results.
#[track_caller]
fn check_secret(storage: &str, given: Given, builder: &str) {
    let project = Project::of_script(storage, SCRIPT);
    project.folder.write("netrc", format!("machine localhost login me password {PASSWORD}\n"));
    project.folder.write("config/config.json", json!({ "auths": { "nobody": { "auth": AUTH } } }).to_string());
    let config = project.folder.path().join("config");
    let index = format!("http://me:{PASSWORD}@localhost/simple");
    let variables =
        [("INDEX", index.as_str()), ("DOCKER_BUILDKIT", builder), ("DOCKER_CONFIG", config.to_str().unwrap())];
    for look in LOOKS {
        quiet(&project, &variables, look).ok();
    }
    let preview = quiet(&project, &variables, LOOKS[3]).json();
    // The installing step mounts a secret that is given by name; all steps have a proxy, which is not mounted.
    let mounted = preview["dockerfile"].as_str().unwrap().contains("--mount=type=secret");
    assert_eq!(mounted, given == Given::ByName);
    let plan = preview["plan"].clone();
    for build in BUILDS {
        if given == Given::ByName || !build.contains(&"json") {
            quiet(&project, &variables, build).ok();
        }
    }
    let report = building(project.folder.command(BUILDS[1]).envs(variables)).ok();
    untold("progress", report.stderr.as_bytes());
    let mut report = report.json();
    match given {
        Given::ByName => {
            untold("storage.json", project.storage_text().as_bytes());
            for look in [&["preview", "--format", "spec"][..], &["serialize", "flowhold.toml"]] {
                quiet(&project, &variables, look).ok();
            }
        }
        Given::Literally => {
            // The storage repeats the spec.
            report["storage"]["build_args"].take();
            assert!(quiet(&project, &variables, LOOKS[0]).stderr.contains("literal-secret"));
        }
    }
    untold("the report", report.to_string().as_bytes());
    image_is_quiet(&project);
    // The secret isn't in the plan digest either, on which guesses could be tried.
    let text = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    project.folder.write("flowhold.toml", text.replace(PASSWORD, "other"));
    project.folder.write("netrc", "machine localhost login me password other\n");
    let variables = [("INDEX", "http://me:other@localhost/simple")];
    assert_eq!(quiet(&project, &variables, LOOKS[3]).json()["plan"], plan);
}

#[test]
fn what_a_build_needs_is_in_nothing_that_it_makes() {
    let [buildkit, _] = BUILDERS;
    for secret in ["{ id = \"EXTRA\", env = \"INDEX\" }", "{ id = \"netrc\", file = \"netrc\" }"] {
        let storage = format!("python_dependencies = [\"six==1.16.0\"]\nsecrets = [{secret}]");
        check_secret(&storage, Given::ByName, buildkit);
    }
    let proxy = format!("build_args = {{ HTTPS_PROXY = \"http://me:{PASSWORD}@localhost:1\" }}");
    for builder in BUILDERS {
        check_secret(&proxy, Given::Literally, builder);
    }
}

#[test]
fn a_step_that_fails_does_not_tell_the_passwords_of_a_spec() {
    let nobody = fake::nobody();
    let index = format!("env_vars.PIP_INDEX_URL = \"http://me:{PASSWORD}@{nobody}/simple\"");
    let dependency = format!("python_dependencies = [\"six @ http://me:{PASSWORD}@{nobody}/six.tar.gz\"]");
    let proxy = format!(
        "build_args = {{ HTTPS_PROXY = \"http://me:{PASSWORD}@{nobody}\", HTTP_PROXY = \"http://me:{PASSWORD}@{nobody}\" }}"
    );
    for storage in [&index, &dependency, &proxy] {
        for builder in BUILDERS {
            for installer in ["uv", "pip"] {
                // A version that is in no cache.
                let more =
                    if storage.contains("python_dependencies") { "" } else { "python_dependencies = [\"six==1.2\"]" };
                let more = format!(
                    "{more}\ninstaller = {}\nenv_vars.PIP_RETRIES = \"0\"\nenv_vars.UV_HTTP_RETRIES = \"0\"",
                    quoted(installer)
                );
                let project = Project::of_script(&format!("{storage}\n{more}"), SCRIPT);
                for build in &BUILDS[..2] {
                    let done = quiet(&project, &[("DOCKER_BUILDKIT", builder)], build);
                    // If uv is at hand, it says that nobody is there.
                    let code = if done.code == 69 && installer == "uv" { 69 } else { 1 };
                    done.fails(code, &["step", "failed: "]);
                }
            }
        }
    }
}

#[test]
fn an_address_that_can_not_be_used_is_told_without_its_password() {
    let nobody = fake::nobody();
    let login = format!("me:{PASSWORD}@{nobody}");
    const MOVES: [&[&str]; 2] = [&["pull"], &["push"]];
    let commands = LOOKS.iter().chain(&BUILDS).chain(&MOVES);
    for (field, value) in [
        ("base_url", format!("tcp://{login}")),
        ("base_url", format!("http://{login}/")),
        ("base_url", format!("https://{login}")),
        ("base_url", format!("ssh://{login}")),
        ("registry_url", format!("{login}/a")),
        ("registry_url", format!("https://{login}/a")),
        ("base_image", format!("{login}/a:1")),
        ("base_image", format!("http://{login}/a:1")),
        ("prefect_version", format!("https://{login}/prefect")),
    ] {
        let project = Project::of_script(&format!("{field} = {}", quoted(&value)), SCRIPT);
        for command in commands.clone() {
            let done = quiet(&project, &[], command);
            assert!(done.code != 0 || !matches!(command[0], "build" | "pull" | "push"), "{done:#?}");
        }
    }
    for scheme in ["tcp", "http", "https", "ssh", "fd"] {
        let project = Project::of_script("", SCRIPT);
        let address = format!("{scheme}://{login}");
        for command in [BUILDS[0], BUILDS[1], &["pull"]] {
            quiet(&project, &[("DOCKER_HOST", &address)], command).fails(1, &["me:***@"]);
        }
    }
}

#[test]
fn a_login_is_told_by_nobody() {
    // Nothing listens, the registry refuses, or the server is not a registry.
    for server in [
        fake::nobody(),
        fake::server("401 Unauthorized", "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}"),
        fake::server("200 OK", "It works!"),
    ] {
        let name = quoted(&format!("{server}/a:1"));
        let project = Project::of_script(&format!("base_image = {name}"), SCRIPT);
        for auth in [AUTH, &format!("{AUTH}*"), PASSWORD] {
            let config = json!({ "auths": { server.as_str(): { "auth": auth } } }).to_string();
            project.folder.write("config/config.json", config);
            let config = project.folder.path().join("config");
            let variables = [("DOCKER_CONFIG", config.to_str().unwrap())];
            for command in [&["build", "--format", "json", "--progress", "json"][..], &["pull"]] {
                assert_ne!(quiet(&project, &variables, command).code, 0);
            }
        }
    }
    // While an image is pushed to a registry that accepts the layers.
    let (project, variables) = (Project::of_script("", SCRIPT), Folder::new());
    project.build(&["--no-push"]);
    let registry = environment("FLOWHOLD_TEST_REGISTRY");
    variables.write("config.json", json!({ "auths": { registry.as_str(): { "auth": AUTH } } }).to_string());
    let variables = [("DOCKER_CONFIG", variables.path().to_str().unwrap())];
    quiet(&project, &variables, &["push", "--progress", "json"]).ok();
    untold("storage.json", project.storage_text().as_bytes());
}

#[test]
fn what_a_run_is_given_is_told_by_nobody() {
    let project = Project::of_script("", "import time\ntime.sleep(3600)\n");
    project.build(&["--no-push"]);
    let given = format!("TOKEN={PASSWORD}");
    let run = ["run", "flow", "--timeout", "1s", "-e", &given];
    quiet(&project, &[], &run).fails(75, &["--timeout"]);
    forget(&project.reference());
    quiet(&project, &[], &run).fails(1, &[&project.reference()]);
    let nobody = format!("tcp://{}", fake::nobody());
    quiet(&project, &[("DOCKER_HOST", &nobody)], &run).fails(69, &["start docker"]);
    // The token is a variable of the environment in which Flowhold runs.
    quiet(&project, &[("DOCKER_HOST", &nobody), ("TOKEN", PASSWORD)], &["run", "flow"]).fails(69, &["start docker"]);
}
