//! Policies: their verdicts are diagnostics, and a policy that misbehaves stops the build, and nothing else.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use flowhold::{
    Engine, Failure, Host, Need, SpecText,
    failure::{Diagnostic, Severity},
    progress,
};
use flowhold_tests::{Done, Folder};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::guest::{built, module, wait};

const SPEC: &str = "[storage]\ntype = \"docker\"\nbase_image = \"python:3.11\"\n";

fn example() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| built("example-policy"))
}

fn hostile() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| built("flowhold-hostile-policy"))
}

/// The diagnostics and the plan digest after the hostile policy has obeyed an order.
fn ordered(host: &Host, order: &str) -> (Vec<Diagnostic>, Option<String>) {
    wait(async {
        let mut session = host.session().await.unwrap();
        let text = format!("{SPEC}[storage.env_vars]\nORDER = {order:?}\n");
        let plan = session.plan(&SpecText { text, folder: "/".into() }, None, Need::Preview).await.unwrap();
        let mut diagnostics = session.diagnostics(plan).await.unwrap();
        diagnostics.retain(|one| one.code != "no-flows" && one.severity != Severity::Info);
        (diagnostics, session.digest(plan).await.unwrap())
    })
}

fn judged_by(policy: &[u8]) -> Result<Host, Failure> {
    Host::builder().policy("deny.wasm", policy).build()
}

/// Codes and fields of all errors.
fn errors(done: &Done) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    let all = report["diagnostics"].as_array().unwrap().iter();
    let errors = all.filter(|one| one["severity"] == "error");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors.map(|one| (text(&one["code"]), text(&one["field"]))).collect()
}

const REFUSED: &str = "[storage]
type = \"docker\"
base_image = \"ghcr.io/x/python\"
registry_url = \"registry.example.org:5000/team\"
[storage.env_vars]
API_TOKEN = \"hush\"
MODE = \"ghp_0123\"
";

const EXPECTED: [(&str, &str); 4] = [
    ("no-latest", "storage.base_image"),
    ("foreign-registry", "storage.base_image"),
    ("secret-in-variable", "storage.env_vars.API_TOKEN"),
    ("secret-in-variable", "storage.env_vars.MODE"),
];

#[test]
fn the_example_refuses_what_it_says() {
    let folder = Folder::with_spec(REFUSED);
    folder.write("deny.wasm", example());
    let done = folder.run(&["check", "--format", "json", "--policy", "deny.wasm"]);
    assert_eq!(done.code, 1);
    assert_eq!(errors(&done), EXPECTED.map(|(code, field)| (code.to_owned(), field.to_owned())));
    assert!(!done.stdout.contains("hush"), "{}", done.stdout);
    let shown = folder.run(&["check", "--policy", "deny.wasm"]);
    assert!(shown.stderr.contains("error[no-latest]: ghcr.io/x/python is"), "{}", shown.stderr);
    assert!(shown.stderr.contains("at flowhold.toml:3 (storage.base_image), says deny.wasm"), "{}", shown.stderr);
    // Without the policy nothing is wrong.
    assert_eq!(folder.run(&["check"]).code, 0);
}

#[test]
fn a_spec_can_name_its_policies() {
    let folder = Folder::with_spec(&format!("policies = [\"rules/deny.wasm\"]\n{REFUSED}"));
    folder.write("rules/deny.wasm", example());
    let done = folder.run(&["preview", "--format", "json"]);
    assert_eq!((done.code, errors(&done).len()), (1, EXPECTED.len()));
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&report["plan"], &report["dockerfile"]), (&Value::Null, &Value::Null));
    let last = report["diagnostics"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["policy"], &last["line"]), (&"rules/deny.wasm".into(), &8.into()));
    // A resolved spec names the policies as well.
    folder.write("fine.toml", format!("policies = [\"rules/deny.wasm\"]\n{SPEC}"));
    let resolved = folder.run(&["preview", "-f", "fine.toml", "--format", "spec"]);
    assert!(resolved.stdout.contains("\"rules/deny.wasm\""), "{} {}", resolved.stdout, resolved.stderr);
    let with = folder.run(&["preview", "-f", "fine.toml", "--format", "json"]);
    folder.write("fine.toml", SPEC);
    let without = folder.run(&["preview", "-f", "fine.toml", "--format", "json"]);
    assert_eq!(with.stdout, without.stdout, "policies are not in the image");
}

#[test]
fn nothing_is_built_that_a_policy_refuses_or_can_t_judge() {
    let local = "[storage]\ndirectory = \"flows\"\n[[flows]]\npath = \"etl.py\"\n";
    let folder = Folder::new();
    folder.write("etl.py", "print(1)\n");
    folder.write("deny.wasm", "not wasm");
    for policy in ["missing.wasm", "deny.wasm", "/dev/zero", "."] {
        folder.write("flowhold.toml", format!("policies = [{policy:?}]\n{local}"));
        let done = folder.run(&["build"]);
        assert_eq!(done.code, 1, "{policy}: {done:?}");
        assert!(done.stderr.contains("error[policy-failed]"), "{policy}: {done:?}");
        assert!(!folder.path().join("flows").exists(), "{policy}");
        assert_eq!(folder.run(&["serialize", "flowhold.toml"]).code, 1, "{policy}");
    }
    folder.write("flowhold.toml", local);
    let done = folder.run(&["build", "--policy", "deny.wasm"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("deny.wasm is no policy: it is not WebAssembly"), "{done:?}");
    assert!(!folder.path().join("flows").exists());
    assert_eq!(folder.run(&["build"]).code, 0);
}

/// Policies may refuse the base image.
#[test]
fn nothing_is_pulled_before_the_policies_of_a_host_have_judged() {
    for (host, is_asked) in [(Host::builder(), true), (Host::builder().policy("deny.wasm", example()), false)] {
        wait(async {
            let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let text = format!("{SPEC}base_url = \"tcp://{}\"\n", daemon.local_addr().unwrap());
            let spec = SpecText { text, folder: "/".into() };
            let silent = progress::to_stderr(progress::Mode::None);
            let engine = Engine::new(silent, CancellationToken::new(), Arc::new(|_, _| Ok(())));
            let engine = Arc::new(engine.addresses(Arc::new(|_| true)));
            let mut session = host.build().unwrap().session().await.unwrap();
            // Each plan pulls anew, whatever was begun for the plan before.
            for _ in 0..2 {
                session.pull_ahead(Arc::clone(&engine));
                session.plan(&spec, None, Need::Build).await.unwrap();
                let asked = tokio::time::timeout(Duration::from_secs(2), daemon.accept()).await;
                assert_eq!(asked.is_ok(), is_asked);
            }
            session.plan(&spec, None, Need::Build).await.unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(200), daemon.accept()).await.is_err());
        });
    }
}

/// A daemon is sent the host's own credentials.
#[test]
fn no_spec_chooses_a_daemon_unless_the_host_lets_it() {
    wait(async {
        let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text = format!("{SPEC}base_url = \"tcp://{}\"\n", daemon.local_addr().unwrap());
        let silent = progress::to_stderr(progress::Mode::None);
        let engine = Arc::new(Engine::new(silent, CancellationToken::new(), Arc::new(|_, _| Ok(()))));
        let docker = Arc::clone(&engine) as Arc<dyn flowhold::capability::Docker>;
        let mut session = Host::builder().docker(docker).build().unwrap().session().await.unwrap();
        session.pull_ahead(engine);
        let plan = session.plan(&SpecText { text, folder: "/".into() }, None, Need::Build).await.unwrap();
        let storage = session.storage_of(plan).await.unwrap();
        let failure = session.build(storage, false, None).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.help.is_some()), ("not-granted", true), "{failure:?}");
        assert!(tokio::time::timeout(Duration::from_millis(200), daemon.accept()).await.is_err());
    });
}

#[test]
fn a_policy_is_told_the_plan_and_nothing_else() {
    let host = judged_by(hostile()).unwrap();
    let (told, plan) = ordered(&host, "tell");
    assert!(plan.is_some());
    assert_eq!((told[0].code.as_str(), told[0].policy.as_deref(), told[0].line), ("told", Some("deny.wasm"), Some(5)));
    for part in
        [&*plan.unwrap(), "reference: \"python:3.11\"", "registry: \"docker.io\"", "repository: \"library/python\""]
    {
        assert!(told[0].message.contains(part), "{part} is not in {}", told[0].message);
    }
}

#[test]
fn what_is_no_policy_is_refused() {
    let core: &[u8] = flowhold::host::COMPONENT;
    let cut = &hostile()[..hostile().len() / 2];
    let refused: [(&[u8], &str); 5] = [
        (core, "imports flowhold:storage/"),
        (b"", "is not WebAssembly"),
        (b"\0asm\x0d\0\x01\0", "has no flowhold:storage/judging@0.1.0#judge"),
        (b"\0asm\x01\0\0\0", "is a module"),
        (cut, "is no policy"),
    ];
    for (bytes, reason) in refused {
        let failure = judged_by(bytes).err().unwrap();
        assert_eq!(failure.code, "invalid-policy");
        assert!(failure.message.contains(reason), "{}", failure.message);
    }
    // This policy is too large to be looked at.
    let large = judged_by(&[b"\0asm".as_slice(), &vec![0; 16 << 20]].concat()).err().unwrap();
    assert!(large.message.contains("larger than 16 MiB"), "{}", large.message);
}

#[test]
fn a_policy_that_breaks_stops_the_build_and_nothing_else() {
    let host = judged_by(hostile()).unwrap();
    for (order, reason) in [
        ("trap", "it stopped"),
        ("loop", "took longer than 5 s"),
        ("grow", "it stopped"),
        ("many", "gave 1001 verdicts"),
        ("code", "is not kebab-case"),
    ] {
        let (diagnostics, plan) = ordered(&host, order);
        assert_eq!((diagnostics.len(), diagnostics[0].code.as_str(), plan), (1, "policy-failed", None), "{order}");
        assert!(diagnostics[0].message.contains(reason), "{order}: {}", diagnostics[0].message);
    }
    assert!(ordered(&host, "nothing").1.is_some());
}

#[test]
fn verdicts_of_any_text_are_shown_without_harm() {
    let host = judged_by(hostile()).unwrap();
    let (long, plan) = ordered(&host, "long");
    assert!((long[0].message.len(), plan.is_some()) == (16 << 20, true));
    let folder = Folder::new();
    folder.write("deny.wasm", hostile());
    for order in ["escape", "code", "field"] {
        folder.write("flowhold.toml", format!("{SPEC}[storage.env_vars]\nORDER = {order:?}\n"));
        let done = folder.run(&["check", "--policy", "deny.wasm"]);
        assert!(done.stderr.contains("says deny.wasm") || done.stderr.contains("policy-failed"), "{done:?}");
        assert!(!done.stderr.contains(|c: char| c.is_control() && c != '\n'), "{done:?}");
    }
}

#[test]
fn a_component_is_made_of_what_cargo_built() {
    let folder = Folder::with_spec(REFUSED);
    let module = std::fs::read(module("example-policy")).unwrap();
    folder.write("module.wasm", &module);
    let as_it_is = folder.run(&["check", "--policy", "module.wasm"]);
    assert_eq!(as_it_is.code, 1);
    assert!(as_it_is.stderr.contains("flowhold component --of module.wasm"), "{as_it_is:?}");
    let made = folder.run(&["component", "--of", "module.wasm", "-o", "deny.wasm"]);
    assert_eq!(made.code, 0, "{made:?}");
    let done = folder.run(&["check", "--format", "json", "--policy", "deny.wasm"]);
    assert_eq!(errors(&done).len(), EXPECTED.len());
    for length in [0, 3, 9, 1000, module.len() / 2, module.len() - 1] {
        folder.write("cut.wasm", &module[..length]);
        let refused = folder.run(&["component", "--of", "cut.wasm", "-o", "none.wasm"]);
        assert_eq!(refused.code, 1, "{length}: {refused:?}");
        assert!(refused.stderr.contains("no component can be made of it"), "{length}: {refused:?}");
    }
    assert!(!folder.path().join("none.wasm").exists());
}
