//! The build context: complete for a plain `docker build`, and the same wherever it is made.

use flowhold_tests::Folder;

use crate::{
    daemon::{client, text_inside},
    project::{Project, quoted, unique},
};

const FLOW: &str = "import os\nprint('ran with', os.environ['MODE'])\n";

/// A project with everything that can go into a context.
fn everything(name: String, data: &Folder) -> Project {
    let file = data.write("a file.txt", "a file");
    data.write("tree/two words/b.txt", "b");
    let tree = data.path().join("tree");
    let storage = format!(
        "python_dependencies = [\"iniconfig==2.0.0\"]\nenv_vars.MODE = \"a \\\"b\\\" $c\"\n\
         files.{} = \"/opt/a file.txt\"\nfiles.{} = \"/opt/tree\"",
        quoted(file.to_str().unwrap()),
        quoted(tree.to_str().unwrap()),
    );
    let project = Project::named(name, &storage, &["path = \"flow.py\"\nname = \"Flow, the first\""]);
    project.folder.write("flow.py", FLOW);
    project
}

#[test]
fn plain_docker_builds_what_the_command_writes() {
    let data = Folder::new();
    let project = everything(unique(), &data);
    project.folder.run(&["dockerfile", "context"]).ok();
    let context = project.folder.path().join("context");
    let context = context.to_str().unwrap();
    for builder in ["0", "1"] {
        let image = format!("{}-{builder}", project.name);
        let mut command = client(&["build", "--tag", &image, context]);
        let output = command.env("DOCKER_BUILDKIT", builder).output().unwrap();
        assert!(output.status.success(), "{builder}: {}", String::from_utf8_lossy(&output.stderr));
        let look = "import iniconfig, os; print(os.environ['MODE'], open('/opt/a file.txt').read(), \
                    open('/opt/tree/two words/b.txt').read(), open('/root/.prefect/flow-the-first.prefect').read())";
        assert_eq!(text_inside(&image, &["python", "-c", look]), format!("a \"b\" $c a file b {FLOW}\n"));
    }
    // A folder that is there already is not overwritten.
    project.folder.run(&["dockerfile", "context"]).fails(1, &["exists"]);
}

#[test]
fn a_plan_does_not_depend_on_folder_and_time() {
    let (data, name) = (Folder::new(), unique());
    let first = everything(name.clone(), &data);
    let one = first.build(&["--no-push"]);
    let digest = |project: &Project| {
        let preview = project.folder.json(&["preview", "--format", "json"]);
        assert_eq!(preview["plan"], one["plan"]);
        project.folder.run(&["preview", "--format", "context"]).ok().stdout
    };
    let listing = digest(&first);
    // Everything is written again: the times differ, and the spec is in another folder.
    let second = everything(name, &data);
    let two = second.build(&["--no-push"]);
    assert_eq!(one["plan"], two["plan"]);
    assert_eq!(listing, digest(&second));
    for step in two["steps"].as_array().unwrap() {
        let name = step["name"].as_str().unwrap();
        let transfer = name.starts_with("pull ") || name.starts_with("FROM ");
        assert!(transfer || step["cached"] == true, "{step}");
    }
    data.write("tree/two words/b.txt", "c");
    assert_ne!(second.build(&["--no-push"])["plan"], one["plan"]);
}

#[test]
fn the_plan_digest_is_said_in_a_label() {
    let project = Project::of_script("", FLOW.replace("['MODE']", ".get('MODE')").as_str());
    let report = project.build(&["--no-push"]);
    let labels = crate::daemon::inspect(&project.reference())["Config"]["Labels"].take();
    assert_eq!(labels["io.flowhold.plan"], report["plan"]);
}
