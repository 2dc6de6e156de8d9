//! Environment variables arrive in the image as they were written.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    daemon::{inspect, text_inside},
    project::{Project, quoted},
};

const VALUES: [(&str, &str); 22] = [
    ("PLAIN", "prod"),
    ("EMPTY", ""),
    ("SPACES", " two  words "),
    ("DOUBLE", "say \"hi\""),
    ("SINGLE", "it's 'so'"),
    ("DOLLAR", "$HOME ${HOME} $$ ${NONE:-x} ${NONE:+y}"),
    ("ESCAPED_DOLLAR", "\\$HOME \\\\$HOME"),
    ("BACKSLASH", "C:\\new\\table \\\" \\' \\\\"),
    ("TRAILING", "ends in \\"),
    ("TRAILING_TWO", "ends in \\\\"),
    ("HASH", "# no comment # at all"),
    ("EQUALS", "a=b==c"),
    ("UNICODE", "žluťoučký kůň Ж 日本 🦀 e\u{301}"),
    ("BACKTICK", "`id` $(id)"),
    ("BRACES", "{{.Env}} {a,b} [x] *"),
    ("PERCENT", "%s %% 100%"),
    ("COMMENTED", "FROM scratch"),
    ("QUOTED", "\"quoted\""),
    ("lower_case", "x"),
    ("PIP_INDEX_NOTE", "an \"installer\" variable $HOME \\"),
    ("SEMICOLON", "a; b && c | d > e"),
    ("LONG", concat!("0123456789 ", "0123456789 ", "0123456789 ", "0123456789 ", "0123456789 ", "0123456789 ")),
];

#[test]
fn values_are_the_ones_of_the_spec() {
    let lines: Vec<String> =
        VALUES.iter().map(|(name, value)| format!("env_vars.{name} = {}", quoted(value))).collect();
    let project = Project::of_script(&lines.join("\n"), "print('ran')\n");
    project.build(&["--no-push"]);

    let config = inspect(&project.reference());
    let stated: BTreeMap<&str, &str> = config["Config"]["Env"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|variable| variable.as_str().and_then(|text| text.split_once('=')))
        .collect();
    let seen =
        text_inside(&project.reference(), &["python", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]);
    let seen: Value = serde_json::from_str(&seen).unwrap();
    for (name, value) in VALUES {
        assert_eq!(stated.get(name), Some(&value), "{name}, as docker inspect has it");
        assert_eq!(seen[name], value, "{name}, as a program sees it");
    }
}

#[test]
fn variables_given_to_a_run_win_and_are_not_interpreted() {
    let project = Project::of_script(
        "env_vars.WHO = \"the image\"",
        "import os\nprint(os.environ['WHO'], '|', os.environ.get('MORE'))\n",
    );
    project.build(&["--no-push"]);
    for (arguments, expected) in [
        (&[][..], "the image | None\n"),
        (&["-e", "WHO=$HOME \"x\" \\", "--env", "MORE=ž=1"], "$HOME \"x\" \\ | ž=1\n"),
        (&["-e", "WHO="], " | None\n"),
    ] {
        let run = project.folder.run(&[&["run", "flow"], arguments].concat()).ok();
        assert_eq!(run.stdout, expected, "{arguments:?}");
    }
    // A name alone is refused.
    project.folder.run(&["run", "flow", "-e", "WHO"]).fails(2, &["NAME=VALUE"]);
}
