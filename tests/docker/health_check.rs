//! A flow that doesn't load stops the build, and nothing that was there before is lost.

use flowhold_tests::environment;

use crate::{
    daemon::{containers, has_image},
    project::{BEFORE, Project, Tagged, minor, quoted, unique},
    registry,
};

/// Asserts that a build fails, and leaves a storage.json that is there already as it was.
#[track_caller]
fn fails(project: &Project, more: &[&str], words: &[&str]) {
    project.folder.write("storage.json", BEFORE);
    let done = project.try_build(more).fails(1, words);
    assert_eq!(done.stdout, "");
    assert_eq!(project.storage_text(), BEFORE);
    assert!(!has_image(&project.reference()));
    assert_eq!(registry::digest(&project.reference()), None);
    assert_eq!(containers(&project.name), [""; 0]);
}

#[test]
fn scripts_must_compile() {
    for (script, words) in [
        ("print('a'\n", ["'nightly ETL'", "SyntaxError"]),
        ("def f():\nreturn 1\n", ["'nightly ETL'", "IndentationError"]),
        ("x = 'caf\u{e9}\0'\n", ["'nightly ETL'", "null bytes"]),
    ] {
        let project = Project::new("", &["path = \"good.py\"", "path = \"bad.py\"\nname = \"nightly ETL\""]);
        project.folder.write("good.py", "print('good')\n");
        project.folder.write("bad.py", script);
        fails(&project, &[], &words);
    }
}

#[test]
fn pickles_must_load() {
    let project = Project::new("", &["path = \"needs.py\"\nobject = \"flow\"\nname = \"needs a module\""]);
    project.folder.write("needs.py", "import absent_package\n\ndef flow():\n    return absent_package.x\n");
    project.folder.write("absent_package.py", "x = 1\n");
    let python = environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON");
    fails(&project, &["--python", &python], &["'needs a module'", "ModuleNotFoundError", "absent_package"]);
}

#[test]
fn pickles_must_be_pickles_of_something_that_runs() {
    for (content, words) in [
        (&b"\x80\x04."[..], ["'broken'", "UnpicklingError"]),
        // The number 7.
        (b"\x80\x04K\x07.", ["'broken'", "can't be called"]),
        // Loading it ends the process: os._exit(0).
        (b"\x80\x04cos\n_exit\nK\x00\x85R.", ["'broken'", "ended the process"]),
    ] {
        let version = minor("FLOWHOLD_TEST_BASE_IMAGE");
        let storage = format!("python_version = {version:?}\npython_dependencies = [\"cloudpickle==3.1.2\"]");
        let project = Project::new(&storage, &["path = \"broken.pkl\""]);
        project.folder.write("broken.pkl", content);
        fails(&project, &[], &words);
    }
}

#[test]
fn every_flow_that_fails_is_named() {
    let project = Project::new("", &["path = \"one.py\"", "path = \"two.py\"", "path = \"three.py\""]);
    for (file, script) in [("one.py", "1 +\n"), ("two.py", "pass\n"), ("three.py", "(\n")] {
        project.folder.write(file, script);
    }
    fails(&project, &[], &["'one'", "'three'"]);
}

#[test]
fn the_python_must_be_the_one_that_pickled() {
    let other = environment("FLOWHOLD_TEST_OTHER_BASE_IMAGE");
    // The name doesn't tell the version, so that only a look inside can.
    let disguised = Tagged::new(&other, format!("{}:base", unique()));
    for (base, local) in [(other.as_str(), false), (&disguised.0, true)] {
        let storage = format!("base_image = {}\nlocal_image = {local}", quoted(base));
        let project = Project::new(&storage, &["path = \"callables.py\"\nobject = \"greet\""]);
        project.folder.write("callables.py", include_str!("flows/callables.py"));
        let python = environment("FLOWHOLD_TEST_CLOUDPICKLE_PYTHON");
        let minors = ["FLOWHOLD_TEST_BASE_IMAGE", "FLOWHOLD_TEST_OTHER_BASE_IMAGE"].map(minor);
        fails(&project, &["--python", &python], &minors.each_ref().map(String::as_str));
    }
}
