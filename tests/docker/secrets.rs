//! Secrets of a build: steps may use them, and they are nowhere else.

use std::{
    io::{BufRead, BufReader, Read},
    process::Command,
};

use flowhold_tests::{Done, environment};

use crate::{
    daemon::{client, docker, send},
    project::{Project, Tagged, quoted},
};

const PASSWORD: &str = "pa55word-that-nobody-sees";

/// Builds with this value in the variable INDEX, and plain progress on stderr.
fn build(project: &Project, index: Option<&str>) -> Done {
    let mut command = project.folder.command(&["build", "--no-push", "--format", "json", "--progress", "plain"]);
    command.env_remove("INDEX");
    if let Some(index) = index {
        command.env("INDEX", index);
    }
    Done::of(command.output().unwrap())
}

#[test]
fn a_secret_is_used_and_told_nowhere() {
    // Nothing listens at the index's address, so the installers complain.
    let address = crate::fake::nobody();
    let storage = "python_dependencies = [\"six==1.16.0\"]\nsecrets = [{ id = \"PIP_INDEX_URL\", env = \"INDEX\" }]";
    for installer in ["uv", "pip"] {
        let storage = format!("{storage}\ninstaller = {}\nenv_vars.PIP_RETRIES = \"0\"", quoted(installer));
        let project = Project::of_script(&storage, "print(1)\n");
        let done = build(&project, Some(&format!("http://me:{PASSWORD}@{address}/simple")));
        // uv says that nobody is there, and pip only that it found nothing.
        let done = done.fails(if installer == "uv" { 69 } else { 1 }, &["RUN "]);
        assert!(!done.stderr.contains(PASSWORD) && done.stderr.contains(&address), "{}", done.stderr);
    }
}

#[test]
fn a_secret_is_in_no_image() {
    let storage = "python_dependencies = [\"six==1.16.0\"]\nsecrets = [{ id = \"netrc\", file = \"my netrc\" }]";
    let project = Project::of_script(storage, "print(1)\n");
    project.folder.write("my netrc", format!("machine nobody.example\nlogin me\npassword {PASSWORD}\n"));
    let report = project.build(&["--no-push"]);
    let plan = report["plan"].clone();
    let saved = client(&["save", &project.reference()]).output().unwrap().stdout;
    let has = |bytes: &[u8]| bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
    assert!(saved.len() > 1 << 20 && !has(&saved));
    let history = docker(&["history", "--no-trunc", &project.reference()]).ok().stdout;
    assert!(history.contains("RUN") && !has(history.as_bytes()), "{history}");
    assert!(!has(project.storage_text().as_bytes()));
    // With another password, the plan is the same.
    project.folder.write("my netrc", "machine nobody.example login me password other");
    assert_eq!(project.build(&["--no-push"])["plan"], plan);
}

#[test]
fn a_secret_that_is_not_there() {
    let storage = "python_dependencies = [\"six==1.16.0\"]\nsecrets = [{ id = \"PIP_INDEX_URL\", env = \"INDEX\" }]";
    let project = Project::of_script(storage, "print(1)\n");
    build(&project, None).fails(1, &["\"PIP_INDEX_URL\"", "INDEX is not set", "set the variable"]);
    build(&project, Some("")).fails(1, &["\"PIP_INDEX_URL\"", "INDEX is empty"]);
    let project = Project::of_script(&storage.replace("env = \"INDEX\"", "file = \"missing\""), "print(1)\n");
    build(&project, None).fails(1, &["\"PIP_INDEX_URL\"", "missing"]);
    project.try_build_by("0", &[]).fails(1, &["BuildKit"]);
}

/// The file of a secret may be a pipe, such as the `/dev/fd/63` of a shell's `<(…)`.
#[test]
fn a_secret_from_a_pipe_is_waited_for_until_a_signal() {
    let storage = "python_dependencies = [\"six==1.16.0\"]\nsecrets = [{ id = \"netrc\", file = \"pipe\" }]";
    let project = Project::of_script(storage, "print(1)\n");
    let pipe = project.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let start = || {
        let mut child = project.watched(&["build", "--no-push", "--progress", "json"]).spawn().unwrap();
        let mut events = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(r#""operation":"build""#) {
            line.clear();
            assert!(events.read_line(&mut line).unwrap() > 0, "it ended before it had begun");
        }
        (child, events)
    };
    let (mut child, mut events) = start();
    send("-INT", child.id());
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(": interrupted"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(130));

    let (mut child, _events) = start();
    std::fs::write(&pipe, format!("machine nobody.example login me password {PASSWORD}\n")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_cache_in_a_registry_is_asked_with_the_users_credentials() {
    let registry = environment("FLOWHOLD_TEST_AUTH_REGISTRY");
    let login = flowhold_tests::Folder::new();
    let config = login.path().to_str().unwrap();
    let (user, password) = (environment("FLOWHOLD_TEST_AUTH_USER"), environment("FLOWHOLD_TEST_AUTH_PASSWORD"));
    docker(&["--config", config, "login", "--username", &user, "--password", &password, &registry]).ok();
    let storage = "registry_url = \ncache_to = \"inline\"";
    let project = Project::of_script(storage, "");
    let cache = format!("{registry}/tests/{}:cache", project.name);
    let spec = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    let with_cache = spec.replace("[storage]", &format!("[storage]\ncache_from = [{}]", quoted(&cache)));
    project.folder.write("flowhold.toml", with_cache);
    let build = |config: Option<&str>, more: &str| {
        // The flow is new: the daemon asks no registry for what is in its own cache.
        project.folder.write("flow.py", format!("print('{} {more}')\n", project.name));
        let mut command = project.folder.command(&["build", "--no-push", "--progress", "plain"]);
        if let Some(config) = config {
            command.env("DOCKER_CONFIG", config);
        }
        Done::of(command.output().unwrap()).ok().stderr
    };
    let trouble = format!("importing cache manifest from {cache}");
    let refused = build(None, "one");
    assert!(refused.contains(&trouble) && refused.contains("401"), "{refused}");
    // With credentials, BuildKit finds out that there is no such image yet: that is reported, and the build goes on.
    let missing = build(Some(config), "two");
    assert!(missing.contains(&trouble) && missing.contains("not found"), "{missing}");
    let image = format!("{}:v1", project.name);
    let tagged = Tagged::new(&image, cache.clone());
    docker(&["--config", config, "push", &cache]).ok();
    // The daemon would not ask for an image that it has itself either.
    drop(tagged);
    let found = build(Some(config), "three");
    assert!(!found.contains(&trouble), "{found}");
}
