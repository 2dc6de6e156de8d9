//! The forecast, compared with what the daemon then does.

use flowhold_tests::Folder;
use serde_json::Value;

use crate::project::{BUILDERS, Project, quoted};

const STORAGE: &str = "python_dependencies = [\"iniconfig==2.0.0\"]\nenv_vars.MODE = \"a\"";

/// Whether each step was cached, without the first: a base image is always there.
fn cached(steps: &Value, is_step: impl Fn(&Value) -> bool) -> Vec<bool> {
    let steps = steps.as_array().unwrap().iter().filter(|step| is_step(step));
    steps.skip(1).map(|step| step["cached"].as_bool().unwrap()).collect()
}

/// Whether the builder counts this as a step: to BuildKit, a variable is a setting of the steps that follow.
fn is_step(name: &str, builder: &str) -> bool {
    let words = ["FROM ", "COPY ", "RUN "];
    words.iter().any(|word| name.starts_with(word)) || builder == "0" && name.starts_with("ENV ")
}

/// Builds, changes something, builds again, and compares the forecast with what was done. Returns the forecast.
fn foreseen(project: &Project, builder: &str, change: impl FnOnce()) -> Vec<bool> {
    project.folder.write("old.json", project.folder.run(&["preview", "--format", "json"]).ok().stdout);
    project.build_by(builder, &["--no-push"]);
    change();
    let preview = project.folder.json(&["preview", "--since", "old.json", "--format", "json"]);
    let report = project.build_by(builder, &["--no-push"]);
    let done = cached(&report["steps"], |step| is_step(step["name"].as_str().unwrap(), builder));
    let lines: Vec<&str> = preview["dockerfile"].as_str().unwrap().lines().collect();
    let line = |step: &Value| lines[usize::try_from(step["line"].as_u64().unwrap()).unwrap() - 1];
    let of_builder = cached(&preview["forecast"], |step| is_step(line(step), builder));
    let foreseen = cached(&preview["forecast"], |_| true);
    // BuildKit's copies don't depend on variables, so it keeps more than the forecast says.
    let kept = |(foreseen, done): (bool, bool)| foreseen == done || builder == "1" && done;
    let as_foreseen = of_builder.len() == done.len() && of_builder.iter().copied().zip(done.iter().copied()).all(kept);
    assert!(as_foreseen, "{builder}: {done:?}\n{:#}\n{report:#}", preview["forecast"]);
    foreseen
}

fn change_spec(project: &Project, from: &str, to: &str) {
    let spec = std::fs::read_to_string(project.folder.path().join("flowhold.toml")).unwrap();
    assert!(spec.contains(from), "{spec}");
    project.folder.write("flowhold.toml", spec.replace(from, to));
}

#[test]
fn it_is_what_the_daemon_does() {
    for builder in BUILDERS {
        as_foreseen_by(builder);
    }
}

fn as_foreseen_by(builder: &str) {
    let data = Folder::new();
    data.write("tree/a", "a");
    data.write("tree/b", "b");
    let tree = data.path().join("tree");
    let storage = format!("{STORAGE}\nfiles.{} = \"/opt/tree\"", quoted(tree.to_str().unwrap()));
    let project = Project::of_script(&storage, "print(1)\n");
    let all = |steps: &[bool], expected: bool| steps.iter().all(|step| *step == expected);

    assert!(all(&foreseen(&project, builder, || {}), true));
    let steps = foreseen(&project, builder, || drop(project.folder.write("flow.py", "print(2)\n")));
    // installer, requirements, installing, ENV, files, manifest; then the flows and the health check.
    assert_eq!(steps, [true, true, true, true, true, true, false, false]);
    let steps = foreseen(&project, builder, || drop(data.write("tree/b", "c")));
    assert_eq!(steps, [true, true, true, true, false, false, false, false]);
    let steps = foreseen(&project, builder, || drop(data.write("tree/new", "")));
    assert_eq!(steps, [true, true, true, true, false, false, false, false]);
    let steps = foreseen(&project, builder, || {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(tree.join("a"), permissions).unwrap();
    });
    assert_eq!(steps, [true, true, true, true, false, false, false, false]);
    let steps = foreseen(&project, builder, || change_spec(&project, "MODE = \"a\"", "MODE = \"b\""));
    assert_eq!(steps, [true, true, true, false, false, false, false, false]);
    // No other build had this requirement: the daemon's cache may have more than the earlier plan.
    let own = format!("iniconfig==1.1.1; python_version > '3.0.{}'", std::process::id() + u32::from(builder == "0"));
    let steps = foreseen(&project, builder, || change_spec(&project, "iniconfig==2.0.0", &own));
    assert!(steps[0] && all(&steps[1..], false));
}
