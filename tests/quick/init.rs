//! `init` writes a valid spec, and never overwrites anything.

use flowhold_tests::Folder;

#[test]
fn the_template_is_a_spec_without_flows() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["init"]).ok().stdout.trim(), "./flowhold.toml");
    let found = folder.json(&["check", "--format", "json"]);
    let codes: Vec<_> = found["diagnostics"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["no-flows"]);
}

/// Every commented line of the template is valid when uncommented.
#[test]
fn the_template_uncommented_is_a_docker_spec() {
    let folder = Folder::new();
    assert_eq!(folder.json(&["init", "made/here", "--format", "json"])["path"], "made/here/flowhold.toml");
    let template = std::fs::read_to_string(folder.path().join("made/here/flowhold.toml")).unwrap();
    let lines = template.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.starts_with("[[") || setting.split(' ').nth(1) == Some("=") => setting,
        _ => line,
    });
    let (model, flow) = (folder.write("model.bin", "x"), "flows/etl.py");
    folder.write(&format!("made/here/{flow}"), "def flow(): pass\n");
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let text = text.replace("\"local\" ", "\"docker\" ").replace("/abs/model.bin", model.to_str().unwrap());
    // The directory belongs to the local type, pickling needs more than a plain Python, and there is no policy.
    let others = ["directory", "object", "format", "policies"];
    let wanted = |line: &&str| !others.iter().any(|other| line.starts_with(other));
    let text: String = text.lines().filter(wanted).map(|line| format!("{line}\n")).collect();
    folder.write("made/here/flowhold.toml", &text);
    let found = folder.json(&["check", "-f", "made/here/flowhold.toml", "--format", "json"]);
    assert_eq!(found["diagnostics"], serde_json::json!([]), "{text}");
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::with_spec("# mine\n");
    folder.run(&["init"]).fails(1, &["flowhold.toml exists already", "help:"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("flowhold.toml")).unwrap(), "# mine\n");
}

#[test]
fn a_directory_that_is_none() {
    let folder = Folder::new();
    folder.write("file", "mine");
    for directory in ["file", "file/below"] {
        let done = folder.run(&["init", directory]).fails(1, &["not a directory"]);
        assert!(!done.stderr.contains("flowhold.toml exists"), "{done:#?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "mine");
}
