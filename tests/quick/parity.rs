//! The core says the same natively, inside wasmtime, and through the binary: byte for byte.

use std::{io::Write, path::PathBuf, process::Stdio, rc::Rc};

use flowhold::{Host, Need, SpecText};
use flowhold_core::{diagnostic::Code, json::Json, preview::Preview, resolve::Facts, spec::Spec};
use flowhold_tests::{Done, Folder};
use proptest::{prelude::ProptestConfig, prop_assert_eq, proptest};
use serde_json::Value;

use crate::generated_spec::spec_text;

/// Every file of tests/specs, and the diagnostics of its preview, in order: each code, with the fields that have it.
const FIXTURES: &[(&str, &[&str])] = &[
    (
        "building.toml",
        &[
            "invalid-value: storage.installer, storage.platform, storage.network",
            r#"invalid-variable: storage.build_args["A B"]"#,
            "invalid-value: storage.secrets[0].id",
            "missing-key: storage.secrets[1], storage.secrets[2], storage.secrets[3]",
            "invalid-value: storage.secrets[5]",
            "unknown-key: storage.secrets[6].mode",
            "invalid-value: storage.secrets[7].id",
            "missing-key: storage.secrets[7]",
            "invalid-reference: storage.cache_from[0]",
            "invalid-value: storage.cache_to",
            "unread-secret: storage.secrets",
        ],
    ),
    ("bytes.toml", &[]),
    ("defaults.toml", &[]),
    ("docker-base-by-python.toml", &[]),
    ("docker-every-field.json", &["unused-build-arg: storage.build_args.A", "unread-secret: storage.secrets"]),
    ("docker-every-field.toml", &[]),
    ("docker-naming-flow.toml", &[]),
    ("docker-odd-strings.json", &[]),
    ("duplicate-keys.json", &["duplicate-key: storage.type"]),
    ("empty.toml", &["no-flows: flows"]),
    (
        "flow-names.json",
        &[
            "flow-name: flows[0].name, flows[1].name, flows[2].name, flows[3].name, flows[4].name, flows[5].name, flows[6].name",
        ],
    ),
    (
        "invalid-values.toml",
        &[
            "invalid-value: storage.base_url, storage.naming, storage.python_version, storage.cloudpickle_version, flows[0].object, flows[0].format, flows[1].object",
            "python-unknown: flows[1]",
        ],
    ),
    ("line-too-long.json", &["line-too-long: storage.env_vars.LONG"]),
    ("literal-secret.toml", &["literal-secret: storage.env_vars.DATABASE_PASSWORD"]),
    ("local-absolute.toml", &[]),
    ("local-home.toml", &[]),
    ("local-relative.toml", &[]),
    ("memory.json", &[]),
    ("missing-keys.json", &[r#"missing-key: storage.files["/a"], flows[0], flows[1].size, flows[1]"#]),
    ("naming-needs-one-flow.toml", &["naming-needs-one-flow: storage.naming"]),
    ("not-a-spec.json", &["not-a-spec: "]),
    ("other-storage.toml", &["other-storage: storage.image_name, storage.directory"]),
    ("path-clash.json", &[r#"path-clash: storage.files["/b"], storage.files["/d"], flows[0]"#]),
    (
        "paths.json",
        &[
            "relative-file: storage.files",
            r#"invalid-path: storage.files["/c"].destination, storage.files["/d"].destination, storage.files["/e\nf"], storage.files["/g"].entries[0].path"#,
        ],
    ),
    ("python-unknown.toml", &["python-unknown: flows[0]", "floating-base-image: storage.base_image"]),
    ("python-warnings.toml", &["python-mismatch: storage.base_image"]),
    (
        "references.toml",
        &["invalid-reference: storage.registry_url, storage.base_image, storage.image_name, storage.image_tag"],
    ),
    ("registry-rules.toml", &["registry-rule: storage.registry_url"]),
    (
        "requirements-repeated.toml",
        &[
            "floating-base-image: storage.base_image",
            "repeated-requirement: storage.python_dependencies[1], storage.python_dependencies[2]",
        ],
    ),
    (
        "requirements.toml",
        &[
            "invalid-requirement: storage.python_dependencies[0], storage.python_dependencies[1], storage.python_dependencies[2], storage.python_dependencies[3], storage.python_dependencies[4]",
            "invalid-prefect-version: storage.prefect_version",
            "repeated-requirement: storage.python_dependencies[1]",
        ],
    ),
    ("same-names.toml", &["duplicate-flow: flows[1].name", "slug-clash: flows[2].name"]),
    ("syntax.json", &["syntax: "]),
    ("syntax.toml", &["syntax: "]),
    ("too-many-layers.json", &["too-many-layers: storage.files"]),
    ("unknown-keys.toml", &["unknown-key: flows[0].pth", "missing-key: flows[0]", "unknown-key: registry_url, storag"]),
    ("unknown-type.toml", &["invalid-value: storage.type"]),
    (
        "variables.json",
        &[
            r#"invalid-variable: storage.env_vars[""], storage.env_vars.1A, storage.env_vars.A-B, storage.env_vars["A=B"], storage.env_vars.LINES, storage.env_vars.NUL"#,
            "wrong-type: storage.env_vars.NUMBER",
            "unexpanded-variable: storage.env_vars.PATH, storage.env_vars.OWN",
        ],
    ),
    (
        "wrong-types.toml",
        &[
            r#"wrong-type: storage.python_dependencies, storage.image_name, storage.image_tag, storage.env_vars, storage.files["/a"].entries, storage.local_image, flows[0].name, flows[0].size"#,
            "missing-key: flows[0]",
        ],
    ),
];

/// The codes that no preview of a spec alone reports: they need a source, policy, readings, daemon, plan or storage.
const NEEDS_HOST: &[Code] = &[
    Code::NoReadings,
    Code::PushWithoutRegistry,
    Code::PlanMismatch,
    Code::FlowNotFound,
    Code::Unsupported,
    Code::NoImageName,
    Code::NoLocalImage,
    Code::NeedsBuildkit,
    Code::NoContent,
    Code::UnseenSource,
    Code::UnjudgedPlan,
    Code::PolicyFailed,
    Code::Verdict,
    Code::SourceChanged,
    Code::InvalidStorage,
    Code::InvalidPreview,
    Code::InvalidSnapshot,
    Code::MissingFile,
    Code::PermissionDenied,
    Code::ReadOnly,
    Code::StorageFull,
    Code::FileError,
    Code::IsADirectory,
    Code::NotADirectory,
    Code::NotGranted,
    Code::NoPython,
    Code::NoCloudpickle,
    Code::ImportFailed,
    Code::NoObject,
    Code::NotPickled,
    Code::HostFault,
];

fn specs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("specs")
}

/// The folder that every spec of these tests is said to be in.
const FOLDER: &str = "/flowhold-parity";

fn natively(text: &str, folder: &str) -> String {
    let (spec, diagnostics) = Spec::parse(text);
    let sources = spec.as_ref().map(Spec::sources).unwrap_or_default();
    assert!(sources.iter().all(|source| source.pinned), "state size and sha256, or entries: {sources:?}");
    let facts = Facts {
        home: std::env::home_dir().and_then(|home| home.to_str().map(str::to_owned)),
        folder: Some(folder.to_owned()),
        ..spec.as_ref().map(Facts::skipping).unwrap_or_default()
    };
    format!("{:#}", Json::from(Preview::of(spec.map(Rc::new), diagnostics, facts).to_json(None)))
}

fn through_the_binary(text: &str) -> (String, String) {
    let folder = Folder::new();
    let mut command = folder.command(&["preview", "--format", "json", "-f", "-"]);
    // Natively, the core gets this process's home.
    command.env("HOME", std::env::home_dir().unwrap());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = Done::of(child.wait_with_output().unwrap());
    let failed = done.json()["diagnostics"].as_array().unwrap().iter().any(|one| one["severity"] == "error");
    assert_eq!(done.code, i32::from(failed), "{done:#?}");
    (done.stdout, folder.path().canonicalize().unwrap().to_str().unwrap().to_owned())
}

struct Sandbox(Host, tokio::runtime::Runtime);

impl Sandbox {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self(Host::builder().build().unwrap(), runtime)
    }

    fn preview(&self, text: &str) -> String {
        self.1.block_on(async {
            let mut session = self.0.session().await.unwrap();
            let spec = SpecText { text: text.to_owned(), folder: FOLDER.into() };
            let plan = session.plan(&spec, None, Need::Preview).await.unwrap();
            session.preview_json(plan, None).await.unwrap()
        })
    }
}

#[test]
fn fixtures_are_the_same_everywhere() {
    let sandbox = Sandbox::new();
    for (name, _) in FIXTURES {
        let text = std::fs::read_to_string(specs().join(name)).unwrap();
        assert_eq!(sandbox.preview(&text), natively(&text, FOLDER), "{name}: wasmtime, and natively");
        let (printed, folder) = through_the_binary(&text);
        assert_eq!(printed, natively(&text, &folder) + "\n", "{name}: the binary, and natively");
    }
}

#[test]
fn fixtures_have_the_diagnostics_that_they_are_for() {
    let mut wrong = Vec::new();
    for (name, expected) in FIXTURES {
        let text = std::fs::read_to_string(specs().join(name)).unwrap();
        let preview: Value = serde_json::from_str(&natively(&text, FOLDER)).unwrap();
        let found = preview["diagnostics"].as_array().unwrap().chunk_by(|one, other| one["code"] == other["code"]);
        let told = found.map(|same| {
            let fields: Vec<_> = same.iter().map(|one| one["field"].as_str().unwrap()).collect();
            format!("{}: {}", same[0]["code"].as_str().unwrap(), fields.join(", "))
        });
        let found: Vec<String> = told.collect();
        if found != *expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_fixture_is_forgotten_and_every_code_has_one() {
    let mut files: Vec<_> =
        std::fs::read_dir(specs()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, FIXTURES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for code in Code::ALL {
        let mut found = FIXTURES.iter().flat_map(|(_, found)| *found);
        let has_one = found.any(|found| found.split(':').next() == Some(code.as_str()));
        assert_ne!(has_one, NEEDS_HOST.contains(code), "{code} belongs in a fixture or in NEEDS_HOST");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_specs_are_the_same_in_wasmtime(text in spec_text()) {
        thread_local!(static SANDBOX: Sandbox = Sandbox::new());
        prop_assert_eq!(SANDBOX.with(|sandbox| sandbox.preview(&text)), natively(&text, FOLDER));
    }
}
