//! `check`: what is wrong, where, and what to do about it; for people and for programs.

use std::{fs, os::unix::fs::PermissionsExt as _};

use flowhold_tests::Folder;
use serde_json::Value;

/// Lines for `[storage]` of a Docker spec with an image name and a good flow. Each has the code, the field, and words
/// of the message or help that it causes.
const STORAGE: &[(&str, &str, &str, &[&str])] = &[
    (r#"baseimage = "x""#, "unknown-key", "storage.baseimage", &["did you mean base_image?"]),
    (
        r#"python_dependancies = []"#,
        "unknown-key",
        "storage.python_dependancies",
        &["did you mean python_dependencies?"],
    ),
    (r#"envvars = {}"#, "unknown-key", "storage.envvars", &["did you mean env_vars?"]),
    (r#"path = "a.py""#, "unknown-key", "storage.path", &["[[flows]]"]),
    (r#"schedule = "daily""#, "unknown-key", "storage.schedule", &["schedule", "the nearest known key is "]),
    (r#"dependencies = []"#, "unknown-key", "storage.dependencies", &["did you mean python_dependencies?"]),
    (r#"tag = "v1""#, "unknown-key", "storage.tag", &["did you mean image_tag?"]),
    (
        r#"python_dependencies = "pandas""#,
        "wrong-type",
        "storage.python_dependencies",
        &["an array", "a string", "flowhold init"],
    ),
    (r#"local_image = "yes""#, "wrong-type", "storage.local_image", &["true or false"]),
    (r#"image_tag = 1.0"#, "wrong-type", "storage.image_tag", &["a string", "a number"]),
    (r#"env_vars = ["A=1"]"#, "wrong-type", "storage.env_vars", &["a table", "an array"]),
    (r#"env_vars = { A = 1 }"#, "wrong-type", "storage.env_vars.A", &["a string"]),
    (r#"env_vars = { "A-B" = "1" }"#, "invalid-variable", "storage.env_vars.A-B", &["'-'", "A_B"]),
    (r#"env_vars = { "1A" = "1" }"#, "invalid-variable", "storage.env_vars.1A", &["digit"]),
    (r#"env_vars = { "" = "1" }"#, "invalid-variable", "storage.env_vars[\"\"]", &["empty"]),
    (r#"env_vars = { "A=B" = "1" }"#, "invalid-variable", "storage.env_vars[\"A=B\"]", &["'='"]),
    (r#"env_vars = { A = "a\nb" }"#, "invalid-variable", "storage.env_vars.A", &["'\\n'", "files"]),
    (r#"env_vars = { A = "a\u0000b" }"#, "invalid-variable", "storage.env_vars.A", &["'\\0'"]),
    (
        r#"registry_url = "https://gcr.io/p""#,
        "invalid-reference",
        "storage.registry_url",
        &["https://", "\"gcr.io/p\""],
    ),
    (r#"registry_url = "https://index.docker.io/v1/""#, "invalid-reference", "storage.registry_url", &["docker.io/"]),
    (
        r#"registry_url = "docker.io/acme/team""#,
        "registry-rule",
        "storage.registry_url",
        &["Docker Hub", "\"team-etl\""],
    ),
    (r#"registry_url = "docker.io""#, "registry-rule", "storage.registry_url", &["Docker Hub", "namespace/name"]),
    (r#"registry_url = "gcr.io""#, "registry-rule", "storage.registry_url", &["Google", "project"]),
    (r#"base_image = "Python:3.9""#, "invalid-reference", "storage.base_image", &["upper-case"]),
    (
        r#"base_image = "acme/team/python:3.9""#,
        "registry-rule",
        "storage.base_image",
        &["Docker Hub", "namespace/name", "\"registry.example.com/acme/team/python\""],
    ),
    (r#"base_image = "docker.io/acme/team/python""#, "registry-rule", "storage.base_image", &["Docker Hub"]),
    (r#"image_tag = "-v1""#, "invalid-reference", "storage.image_tag", &["\"v1\""]),
    (r#"prefect_version = "a b""#, "invalid-prefect-version", "storage.prefect_version", &["a b"]),
    (
        r#"python_dependencies = ["-e ."]"#,
        "invalid-requirement",
        "storage.python_dependencies[0]",
        &["-e", "name @ URL"],
    ),
    (
        r#"python_dependencies = ["a", "--index-url https://x"]"#,
        "invalid-requirement",
        "storage.python_dependencies[1]",
        &["PIP_INDEX_URL"],
    ),
    (
        r#"python_dependencies = ["pandas >> 2"]"#,
        "invalid-requirement",
        "storage.python_dependencies[0]",
        &["pandas >> 2"],
    ),
    (r#"python_dependencies = ["./wheel.whl"]"#, "invalid-requirement", "storage.python_dependencies[0]", &["name @"]),
    (r#"python_dependencies = ["a\nRUN evil"]"#, "invalid-requirement", "storage.python_dependencies[0]", &["'\\n'"]),
    (r#"base_url = "localhost:2375""#, "invalid-value", "storage.base_url", &["tcp://"]),
    (r#"naming = "uuidd""#, "invalid-value", "storage.naming", &["\"uuid\""]),
    (r#"directory = "/srv""#, "other-storage", "storage.directory", &["local"]),
    (r#"files = { "/etc/hostname" = "opt/x" }"#, "invalid-path", "storage.files[\"/etc/hostname\"]", &["\"/opt/x\""]),
    (r#"files = { "/etc/hostname" = "/opt/../x" }"#, "invalid-path", "storage.files[\"/etc/hostname\"]", &["\"..\""]),
    (r#"files = { "/etc/.." = "/x/" }"#, "invalid-path", "storage.files[\"/etc/..\"]", &["\"/etc/..\""]),
    (
        r#"files = { "/etc/hostname" = { destination = "/x", entries = [] } }"#,
        "invalid-value",
        "storage.files[\"/etc/hostname\"].entries",
        &["the source itself"],
    ),
    (r#"files = { "/no/such/file" = "/x" }"#, "missing-file", "storage.files[\"/no/such/file\"]", &["/no/such/file"]),
    (
        r#"files = { "/etc/hostname" = "/root/.prefect/a.prefect" }"#,
        "path-clash",
        "flows[0]",
        &["/root/.prefect/a.prefect"],
    ),
    (
        r#"files = { "/etc/hostname" = "/opt/flowhold/install.py" }
prefect_version = "0.6.6""#,
        "path-clash",
        "storage.files[\"/etc/hostname\"]",
        &["/opt/flowhold/install.py", "storage.prefect_version"],
    ),
    (
        r#"files = { "/etc/hostname" = "/opt/flowhold/health_check.py" }"#,
        "path-clash",
        "flows",
        &["/opt/flowhold/health_check.py"],
    ),
    (
        r#"files = { "/etc/hostname" = "/opt/flowhold/manifest.json" }"#,
        "path-clash",
        "flows",
        &["/opt/flowhold/manifest.json"],
    ),
    (
        r#"files = { "/x" = { destination = "/x", entries = [{ mode = "0644" }] } }"#,
        "wrong-type",
        "storage.files[\"/x\"].entries[0].mode",
        &["a whole number"],
    ),
    (
        r#"files = { "/x" = { destination = "/x", entries = [{ mode = -1 }] } }"#,
        "wrong-type",
        "storage.files[\"/x\"].entries[0].mode",
        &["a whole number"],
    ),
    (r#"platform = "linux""#, "invalid-value", "storage.platform", &["linux"]),
    (r#"secrets = [{ env = "A" }]"#, "missing-key", "storage.secrets[0]", &["no id"]),
    (r#"secrets = [{ id = "a", file = "" }]"#, "missing-key", "storage.secrets[0]", &["env and file"]),
    (r#"base_url = "tcp://""#, "invalid-value", "storage.base_url", &["tcp://"]),
];

/// Whole specs, of flows alone. Each has code, field and words, as in [`STORAGE`].
const FLOWS: &[(&str, &str, &str, &[&str])] = &[
    ("[[flows]]\nname = \"x\"", "missing-key", "flows[0]", &["path"]),
    ("[[flows]]\npath = \"a.py\"\nnaem = \"x\"", "unknown-key", "flows[0].naem", &["did you mean name?"]),
    ("[[flow]]\npath = \"a.py\"", "unknown-key", "flow", &["did you mean flows?"]),
    ("[[flows]]\npath = 1", "wrong-type", "flows[0].path", &["a string"]),
    ("[[flows]]\npath = \"\"", "invalid-value", "flows[0].path", &["\"\" is not a path", "write where it is"]),
    ("[[flows]]\npath = \"none.py\"", "missing-file", "flows[0]", &["none.py"]),
    ("[[flows]]\npath = \".\"", "is-a-directory", "flows[0]", &["directory"]),
    ("[[flows]]\npath = \"a.py\"\nformat = \"wasm\"", "invalid-value", "flows[0].format", &["pickle", "script"]),
    (
        "[[flows]]\npath = \"a.py\"\nformat = \"pickle\"",
        "invalid-value",
        "flows[0].format",
        &["a .py file", "object = "],
    ),
    ("[[flows]]\npath = \"a.pkl\"\nobject = \"flow\"", "invalid-value", "flows[0].object", &["a.pkl"]),
    ("[[flows]]\npath = \"a.py\"\nobject = \"import os\"", "invalid-value", "flows[0].object", &["import os"]),
    (
        "[[flows]]\npath = \"a.py\"\n[[flows]]\npath = \"b/a.py\"",
        "duplicate-flow",
        "flows[1].name",
        &["flows[0]", "flows[1]", "\"a\""],
    ),
    (
        "[[flows]]\npath = \"a.py\"\n[[flows]]\npath = \"b/a.py\"\nname = \"..\"",
        "flow-name",
        "flows[1].name",
        &["\"..\""],
    ),
    (
        "[[flows]]\npath = \"a.py\"\nname = \"My Flow\"\n[[flows]]\npath = \"b/a.py\"\nname = \"my-flow!\"",
        "slug-clash",
        "flows[1].name",
        &["\"My Flow\"", "\"my-flow!\"", "my-flow"],
    ),
];

fn folder(spec: &str) -> Folder {
    let folder = Folder::with_spec(spec);
    for name in ["a.py", "b/a.py", "a.pkl"] {
        folder.write(name, "x");
    }
    folder
}

/// How the report on a spec with one mistake differs from what is expected; none if it doesn't.
fn fault(spec: &str, code: &str, field: &str, words: &[&str]) -> Option<String> {
    let folder = folder(spec);
    let done = folder.run(&["check", "--format", "json"]).fails(1, &[]);
    assert_eq!(done.stderr, "", "{spec}");
    let found = done.json();
    let errors: Vec<&Value> =
        found["diagnostics"].as_array().unwrap().iter().filter(|one| one["severity"] == "error").collect();
    let [error] = errors.as_slice() else {
        let codes: Vec<_> = errors.iter().map(|error| format!("{} {}", error["code"], error["message"])).collect();
        return Some(format!("{spec}\n  is not one error: {}", codes.join(", ")));
    };
    if (error["code"].as_str(), error["field"].as_str()) != (Some(code), Some(field)) {
        return Some(format!("{spec}\n  is {error}"));
    }
    if error["help"].is_null() {
        return Some(format!("{spec}\n  doesn't say what to do: {error}"));
    }
    let text = format!("{} {}", error["message"].as_str().unwrap(), error["help"].as_str().unwrap_or_default());
    if let Some(word) = words.iter().find(|word| !text.contains(**word)) {
        return Some(format!("{spec}\n  {word:?} is not in {text:?}"));
    }
    // The human format shows the same, and the line.
    let line = error["line"].as_u64().unwrap();
    let place = format!("flowhold.toml:{line} ({field})");
    let human = folder.run(&["check"]).fails(1, &[&format!("error[{code}]"), &place]);
    assert_eq!(human.stdout, "");
    folder.run(&["preview"]).fails(1, &[&place]);
    None
}

/// Every wrong row is reported, not just the first.
#[track_caller]
fn none_of(faults: impl Iterator<Item = Option<String>>) {
    let faults: Vec<_> = faults.flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn mistakes_in_the_storage() {
    none_of(STORAGE.iter().map(|(line, code, field, words)| {
        let start = "[storage]\ntype = \"docker\"\nimage_name = \"etl\"\n";
        fault(&format!("{start}{line}\n[[flows]]\npath = \"a.py\"\n"), code, field, words)
    }));
}

#[test]
fn a_registry_is_looked_at_before_there_is_a_name() {
    let spec = "[storage]\ntype = \"docker\"\nregistry_url = \"gcr.io\"\n[[flows]]\npath = \"a.py\"\n";
    none_of([fault(spec, "registry-rule", "storage.registry_url", &["Google"])].into_iter());
    // With a wrong name, the registry's rules are not looked at before the name is corrected.
    let wrong = spec.replace("gcr.io\"", "docker.io\"\nimage_name = \"Acme/etl\"");
    let said = folder(&wrong).run(&["check"]).fails(1, &["invalid-reference"]);
    assert!(!said.stderr.contains("registry-rule"), "{said:#?}");
}

/// If there are many mistakes, only some are reported: neither their paths nor their words may use up the memory.
#[test]
fn many_and_long_mistakes_take_little_memory() {
    let long = "K".repeat(50_000);
    let many = vec!["1"; 25_000].join(",");
    let unknown: Vec<_> = (0..20_000).map(|number| format!("\"k{number}\":1")).collect();
    for spec in [
        format!("{{\"{long}\":[{many}]}}"),
        format!("{{\"{}\":1}}", "K".repeat(13 << 20)),
        format!("{{\"storage\":{{\"type\":\"docker\",\"files\":{{\"/{long}\":{{{}}}}}}}}}", unknown.join(",")),
    ] {
        folder(&spec).run(&["check"]).fails(1, &["error["]);
    }
    let entries: Vec<_> = (0..25_000).map(|number| format!("{{\"path\":\"{number}\"}}")).collect();
    let entries = format!("{{}},{}", entries.join(","));
    let file = format!("{{\"destination\":\"/x\",\"entries\":[{entries}]}}");
    folder(&format!("{{\"storage\":{{\"type\":\"docker\",\"files\":{{\"/{long}\":{file}}}}}}}")).run(&["check"]).ok();
}

#[test]
fn mistakes_in_the_flows() {
    none_of(FLOWS.iter().map(|(flows, code, field, words)| fault(flows, code, field, words)));
}

#[test]
fn mistakes_in_the_policies() {
    let many = (0..101).map(|number| format!("\"{number}.wasm\"")).collect::<Vec<_>>().join(", ");
    let cases = [
        ("\"\"", "policies[0]", "is not the path"),
        ("\"a.wasm\", \"a.wasm\"", "policies[1]", "appears twice"),
        (many.as_str(), "policies", "more than 100"),
    ];
    none_of(cases.iter().map(|(policies, field, words)| {
        fault(&format!("policies = [{policies}]\n[[flows]]\npath = \"a.py\"\n"), "invalid-value", field, &[words])
    }));
}

/// A preview takes what the spec states; a build looks at the files themselves.
#[test]
fn a_file_that_is_not_what_was_stated() {
    let entry = format!("{{ mode = 384, size = 1, sha256 = {:?} }}", "1".repeat(64));
    let file = format!("{{ destination = \"/x\", entries = [{entry}] }}");
    let start = "[storage]\ntype = \"docker\"\n";
    let folder = folder("");
    let data = folder.write("data", "x");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o644)).unwrap();
    folder.write("flowhold.toml", format!("{start}files = {{ {data:?} = {file} }}\n[[flows]]\npath = \"a.py\"\n"));
    folder.run(&["check"]).ok();
    let words = ["error[source-changed]", "\"mode\":420", "instead of", "\"mode\":384", "leave out"];
    folder.run(&["build", "--no-push"]).fails(1, &words);
}

#[test]
fn all_relative_files_are_listed() {
    let spec = "[storage]\ntype = \"docker\"\nfiles = { \"rel/a\" = \"/a\", \"./b\" = \"/b\", \"/etc/hostname\" = \"/c\" }\n[[flows]]\npath = \"a.py\"\n";
    none_of([fault(spec, "relative-file", "storage.files", &["rel/a, ./b"])].into_iter());
}

#[test]
fn every_mistake_is_told_at_once() {
    let spec = "[storage]\ntype = \"docker\"\nimage_tag = \"-v1\"\nbaseimage = \"x\"\nlocal_image = 1\n[[flows]]\npath = \"none.py\"\n[[flows]]\npath = \"a.py\"\n";
    let done = folder(spec).run(&["check"]);
    done.fails(1, &["invalid-reference", "unknown-key", "wrong-type", "missing-file"]);
}

#[test]
fn no_spec_and_no_text() {
    let folder = Folder::new();
    folder.run(&["check"]).fails(1, &["flowhold.toml", "flowhold init"]);
    folder.run(&["check", "-f", "other.toml"]).fails(1, &["other.toml"]);
    folder.run(&["check", "-f", "."]).fails(1, &["directory"]);
    let done = folder.run(&["check", "--format", "json"]);
    let [finding] = done.json()["diagnostics"].as_array().unwrap().clone().try_into().unwrap();
    assert_eq!((done.code, &finding["code"], &finding["severity"]), (1, &"missing-file".into(), &"error".into()));
    assert!(finding["help"].as_str().unwrap().contains("flowhold init"), "{finding}");
    folder.write("flowhold.toml", b"name = \"\xff\"\n");
    folder.run(&["check"]).fails(1, &["not UTF-8"]);
    folder.write("flowhold.toml", "[storage\n");
    folder.run(&["check"]).fails(1, &["not TOML", "flowhold.toml:1", "help:"]);
    // Editors on Windows put a mark before UTF-8.
    folder.write("a.py", "x");
    for spec in ["[[flows]]\npath = \"a.py\"\n", "{ \"flows\": [{ \"path\": \"a.py\" }] }"] {
        folder.write("flowhold.toml", format!("\u{feff}{spec}"));
        folder.run(&["check"]).ok();
    }
}

/// A spec of any type may state the versions that pickled the flows; only a spec of an image uses them.
#[test]
fn versions_are_versions_in_specs_of_every_type() {
    for kind in ["docker", "local", "memory", "bytes"] {
        let spec = |python: &str| {
            format!(
                "[storage]\ntype = {kind:?}\npython_version = {python}\ncloudpickle_version = \"1.2.2\"\n\
                 [[flows]]\npath = \"a.py\"\n"
            )
        };
        folder(&spec("\"3.9\"")).run(&["check"]).ok();
        folder(&spec("[]")).run(&["check"]).fails(1, &["wrong-type", "storage.python_version"]);
        folder(&spec("\"new\"")).run(&["check"]).fails(1, &["storage.python_version"]);
    }
}

#[test]
fn warnings_are_no_failure() {
    let folder = folder("[storage]\ntype = \"docker\"\nbase_image = \"python\"\n");
    let done = folder.run(&["check"]).ok();
    assert!(
        done.stderr.contains("warning[no-flows]") && done.stderr.contains("info[floating-base-image]"),
        "{done:#?}"
    );
}

/// Lines for `[storage]`, the field that has a secret in it, and a part of the secret.
const SECRETS: &[(&str, &str, &str)] = &[
    (r#"env_vars = { GITHUB_TOKEN = "s3cret" }"#, "storage.env_vars.GITHUB_TOKEN", "s3cret"),
    (r#"env_vars = { db_password = "s3cret" }"#, "storage.env_vars.db_password", "s3cret"),
    (r#"env_vars = { PGPASSWORD = "s3cret" }"#, "storage.env_vars.PGPASSWORD", "s3cret"),
    (r#"env_vars = { AWS_SECRET_ACCESS_KEY = "s3cret" }"#, "storage.env_vars.AWS_SECRET_ACCESS_KEY", "s3cret"),
    (r#"env_vars = { KEY = "AKIAIOSFODNN7EXAMPLE" }"#, "storage.env_vars.KEY", "AKIAIOSFODNN7"),
    (r#"env_vars = { X = "a ghp_0123456789abcdefghijklmnopqrstuvwxyz b" }"#, "storage.env_vars.X", "ghp_0123456789"),
    (r#"env_vars = { X = "github_pat_11ABCDEFG0abcdefghijkl_mnop" }"#, "storage.env_vars.X", "11ABCDEFG0"),
    (r#"env_vars = { X = "-----BEGIN RSA PRIVATE KEY----- s3cret" }"#, "storage.env_vars.X", "s3cret"),
    (
        r#"env_vars = { PIP_INDEX_URL = "https://me:s3cret@example.com/simple" }"#,
        "storage.env_vars.PIP_INDEX_URL",
        "s3cret",
    ),
    (r#"build_args = { NPM_TOKEN = "s3cret" }"#, "storage.build_args.NPM_TOKEN", "s3cret"),
    (r#"build_args = { HTTPS_PROXY = "http://me:s3cret@proxy:3128" }"#, "storage.build_args.HTTPS_PROXY", "s3cret"),
    (
        r#"python_dependencies = ["x @ https://me:s3cret@example.com/x.whl"]"#,
        "storage.python_dependencies[0]",
        "s3cret",
    ),
    (r#"base_url = "tcp://me:s3cret@example.com:2376""#, "storage.base_url", "s3cret"),
    (
        r#"env_vars = { PIP_EXTRA_INDEX_URL = "https://a.b/simple https://me:s3cret@c.d/simple" }"#,
        "storage.env_vars.PIP_EXTRA_INDEX_URL",
        "s3cret",
    ),
    // These lines are errors too, whose messages don't repeat the secret either.
    (r#"registry_url = "https://me:s3cret@gcr.io/p""#, "storage.registry_url", "s3cret"),
    (r#"registry_url = "https://me:s3cret@shared.example.com/p""#, "storage.registry_url", "s3cret"),
    (r#"registry_url = "me:s3cret@gcr.io/p""#, "storage.registry_url", "s3cret"),
    (r#"registry_url = "https://me:s3:cr@et@gcr.io/p""#, "storage.registry_url", "cr@et"),
    (r#"base_image = "me:s3cret@gcr.io/p""#, "storage.base_image", "s3cret"),
    (r#"cache_from = ["https://me:s3cret@gcr.io/p"]"#, "storage.cache_from[0]", "s3cret"),
    (
        r#"python_dependencies = ["--index-url https://me:s3cret@example.com"]"#,
        "storage.python_dependencies[0]",
        "s3cret",
    ),
    // Errors don't repeat a part of the secret, or an escaped secret, either.
    (
        r#"python_dependencies = ["mypkg @ git+https://ghp_0123456789abcdefghijABCDEFGHIJ012345@github.com/acme/x.git;python_version>'3'"]"#,
        "storage.python_dependencies[0]",
        "ghp_0123456789",
    ),
    (
        r#"python_dependencies = ["x @ https://ghp_0123456789abcdefghij@a.b/x;os_name==\"nt\""]"#,
        "storage.python_dependencies[0]",
        "ghp_0123456789",
    ),
    (r#"base_url = "ssh://me:s3\\zq9@h""#, "storage.base_url", "zq9"),
    (r#"env_vars = { A_TOKEN = "s3cret\nx" }"#, "storage.env_vars.A_TOKEN", "s3cret"),
];

/// Lines for `[storage]` with values that only resemble secrets.
const HARMLESS: &[&str] = &[
    r#"env_vars = { TOKENIZERS_PARALLELISM = "false", MAX_TOKENS = "100", TOKEN_URL = "https://example.com/token" }"#,
    r#"env_vars = { DB_PASSWORD_FILE = "/run/secrets/db", DB_PASSWORD = "/run/secrets/db", USE_TOKEN = "true", A_TOKEN = "" }"#,
    r#"env_vars = { MAIL = "mailto:me@example.com", X = "npm_config_cache_folder", Y = "AKIA", TIME = "12:30@home" }"#,
    r#"env_vars = { URL = "postgres://me:$PGPASSWORD@db/x", GIT = "ssh://git@example.com/x", PORT = "http://a:1/x@y" }"#,
    r#"env_vars = { A_TOKEN = "0", B_TOKEN = "false", URL = "http://me:@host", X = "xAKIAIOSFODNN7EXAMPLE" }"#,
    r#"base_image = "python:3.9@sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881""#,
    r#"registry_url = "localhost:5000/acme""#,
    r#"python_dependencies = ["x @ git+ssh://git@example.com/x.git@v1.0", "y @ https://example.com:8443/y@1.whl"]"#,
    r#"secrets = [{ id = "GITHUB_TOKEN", env = "GITHUB_TOKEN" }]"#,
];

#[test]
fn secrets_are_pointed_at_and_not_repeated() {
    none_of(SECRETS.iter().map(|(line, field, secret)| {
        let folder = folder(&format!(
            "[storage]\ntype = \"docker\"\nimage_name = \"etl\"\n{line}\n[[flows]]\npath = \"a.py\"\n"
        ));
        let found = folder.run(&["check", "--format", "json"]);
        let told = found.json()["diagnostics"].as_array().unwrap().clone();
        let own: Vec<_> = told.iter().filter(|one| one["code"] == "literal-secret").collect();
        let [warning] = own.as_slice() else { return Some(format!("{line}\n  has {} warnings: {told:?}", own.len())) };
        if warning["field"] != *field || warning["severity"] != "warning" || warning["line"] != 4 {
            return Some(format!("{line}\n  is {warning}"));
        }
        if !warning["help"].as_str().unwrap_or_default().contains("secrets = [{ id = ") {
            return Some(format!("{line}\n  offers no mount: {warning}"));
        }
        let (human, preview) = (folder.run(&["check"]), folder.run(&["preview"]));
        assert_eq!(found.code, human.code, "{line}");
        // The Dockerfile on stdout is left out: it is printed with everything that is in it.
        let all = [found.stdout, found.stderr, human.stdout, human.stderr, preview.stderr].concat();
        all.contains(secret).then(|| format!("{line}\n  is repeated: {all}"))
    }));
}

#[test]
fn what_resembles_a_secret_is_none() {
    none_of(HARMLESS.iter().map(|line| {
        let spec = format!("[storage]\ntype = \"docker\"\nimage_name = \"etl\"\n{line}\n[[flows]]\npath = \"a.py\"\n");
        let found = folder(&spec).json(&["check", "--format", "json"]);
        let own = found["diagnostics"].as_array().unwrap().iter().find(|one| one["code"] == "literal-secret");
        own.map(|own| format!("{line}\n  is {own}"))
    }));
}

/// A storage whose variable has a secret was built with a warning, and loads without one.
#[test]
fn a_storage_with_a_secret_loads() {
    let folder =
        folder("[storage]\ntype = \"docker\"\nenv_vars = { A_TOKEN = \"s3cret\" }\n[[flows]]\npath = \"a.py\"\n");
    folder.run(&["serialize", "flowhold.toml", "-o", "storage.json"]).ok();
    folder.run(&["ls", "--storage", "storage.json"]).ok();
}
