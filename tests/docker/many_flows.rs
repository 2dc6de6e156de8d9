//! Images with more flows than they may have layers.

use crate::project::Project;

/// Scripts that print their number, built into one image.
fn built(count: usize) -> Project {
    let flows: Vec<String> = (0..count).map(|number| format!("path = \"flows/number_{number}.py\"")).collect();
    let project = Project::new("", &flows.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 0..count {
        project.folder.write(&format!("flows/number_{number}.py"), format!("print('this is', {number})\n"));
    }
    let report = project.build(&["--no-push"]);
    assert_eq!(report["flows"].as_object().unwrap().len(), count);
    project
}

#[test]
fn a_hundred_and_thirty() {
    let project = built(130);
    for number in [0, 128, 129] {
        let run = project.folder.run(&["run", &format!("number_{number}")]).ok();
        assert_eq!(run.stdout, format!("this is {number}\n"));
    }
}

#[test]
fn a_thousand() {
    let project = built(1000);
    let layers = crate::daemon::inspect(&project.reference())["RootFS"]["Layers"].as_array().unwrap().len();
    assert!(layers < 10, "{layers} layers");
    assert_eq!(project.folder.run(&["run", "number_999"]).ok().stdout, "this is 999\n");
}

#[test]
fn of_a_thousand_every_broken_one_is_named() {
    let names: Vec<String> = (0..1000).map(|number| format!("path = \"flows/number_{number}.py\"")).collect();
    let project = Project::new("", &names.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 0..1000 {
        let text = if matches!(number, 0 | 501 | 998 | 999) { "def (" } else { "print('x')\n" };
        project.folder.write(&format!("flows/number_{number}.py"), text);
    }
    let broken = ["flow 'number_0'", "flow 'number_501'", "flow 'number_998'", "flow 'number_999'"];
    let done = project.try_build(&[]).fails(1, &broken);
    let causes = done.stderr.matches("SyntaxError").count();
    assert!(causes > 0 && causes.is_multiple_of(4), "{done:#?}");
}
