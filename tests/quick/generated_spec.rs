//! Generates specs: good, bad and absurd ones, as TOML and as JSON. Everything that a spec names is pinned.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    strategy::Union,
};
use serde_json::{Map, Value, json};

/// sha256 of `x`.
pub(crate) const SHA256: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

/// Text that means something to Dockerfiles, shells, pip or terminals.
pub(crate) fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9 ._/-]{0,8}",
        2 => prop_oneof![
            Just("\""), Just("'"), Just("\\"), Just("$"), Just("${HOME}"), Just("`"), Just("#"), Just("=") , Just("\t"),
            Just("<<EOF"), Just("[\"x\"]"), Just(" \\ "), Just("&&"), Just("|"), Just("--from=x"), Just("é"), Just("🚀"),
            Just("\u{2028}"), Just("\u{a0}"), Just("%s"), Just(",")
        ].prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// Text that may have what no field takes: line ends, NUL, control characters.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => odd_text(),
        1 => any::<String>(),
        1 => Just("a\nRUN evil".to_owned()),
        1 => Just("a\0b".to_owned()),
        1 => Just("x".repeat(10_000)),
    ]
}

fn one_of(good: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => proptest::sample::select(good).prop_map(|text| json!(text)),
        2 => any_text().prop_map(|text| json!(text)),
        1 => proptest::sample::select(vec![json!(1), json!(true), json!([]), json!({}), json!(["x"]), json!(-2.5)]),
    ]
}

fn content() -> impl Strategy<Value = Map<String, Value>> {
    (0_u64..5_000_000_000)
        .prop_map(|size| Map::from_iter([("size".to_owned(), json!(size)), ("sha256".to_owned(), json!(SHA256))]))
}

fn flow() -> impl Strategy<Value = Value> {
    let name = one_of(&["etl", "ETL", "Nightly Report", "Привет мир", "a/b", "..", "a"]);
    let path = one_of(&["etl.py", "flows/a.pkl", "b.py"]);
    let format = one_of(&["pickle", "script", "wasm"]);
    let fields = (name, option::of(path), option::of(format), option::of(one_of(&["flow", "a.b", "1x"])), content());
    fields.prop_map(|(name, path, format, object, mut flow)| {
        flow.insert("name".to_owned(), name);
        for (key, value) in [("path", path), ("format", format), ("object", object)] {
            value.map(|value| flow.insert(key.to_owned(), value));
        }
        Value::Object(flow)
    })
}

fn file() -> impl Strategy<Value = Value> {
    let destination = one_of(&["/opt/x", "/opt/", "/srv/a b", "x", "/../x", "/opt/$HOME/'\""]);
    let entry = (option::of(one_of(&["a", "a/b", "../x", "é b"])), 0_u32..0o7777, 0..3, content());
    let entry = entry.prop_map(|(path, mode, kind, content)| {
        let mut entry = if kind == 0 { content } else { Map::new() };
        entry.insert("mode".to_owned(), json!(mode));
        path.map(|path| entry.insert("path".to_owned(), path));
        if kind == 1 {
            entry.insert("link".to_owned(), json!("../target"));
        }
        Value::Object(entry)
    });
    (destination, vec(entry, 0..4))
        .prop_map(|(destination, entries)| json!({ "destination": destination, "entries": entries }))
}

fn storage() -> impl Strategy<Value = Value> {
    let pools: [(&str, &[&str]); 12] = [
        ("type", &["docker", "docker", "docker", "docker", "local", "memory", "bytes", "dokcer"]),
        ("registry_url", &["acme", "localhost:5000/acme", "gcr.io/p", "docker.io/a/b", "https://gcr.io"]),
        ("base_image", &["python:3.9", "python", "acme/base:latest", "Python:3"]),
        ("image_name", &["etl", "team/etl", "ETL"]),
        ("image_tag", &["v1", "-v1", "2019-10-17"]),
        ("base_url", &["unix:///x.sock", "tcp://h:1", "ftp://x"]),
        ("prefect_version", &["0.6.6", "master", "0.6.6+1.gabc", "a b"]),
        ("naming", &["uuid", "flow", "plan", "name"]),
        ("prefect_directory", &["/srv/flows", "/srv/", "srv"]),
        ("python_version", &["3.9", "3.11", "three"]),
        ("cloudpickle_version", &["1.2.2", "new"]),
        ("directory", &["/srv", "~", "~/x", "./x", ""]),
    ];
    let fields =
        pools.map(|(key, pool)| option::of(one_of(pool)).prop_map(move |value| (key.to_owned(), value)).boxed());
    let requirement = one_of(&["pandas>=2,<3", "b @ https://example.com/b.whl", "-e .", "x # y", "Pandas"]);
    let variables = btree_map(prop_oneof![4 => "[A-Z_]{1,5}", 1 => any_text()], any_text(), 0..5);
    let files = btree_map(
        prop_oneof![4 => "/[a-c]{1,2}", 1 => odd_text().prop_map(|text| format!("/{text}")), 1 => any_text()],
        file(),
        0..4,
    );
    (Vec::from(fields), vec(requirement, 0..4), variables, files, any::<bool>()).prop_map(
        |(fields, requirements, variables, files, docker)| {
            let mut storage: Map<_, _> = fields.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
            if docker {
                storage.insert("type".to_owned(), json!("docker"));
                storage.remove("directory");
            }
            storage.insert("python_dependencies".to_owned(), json!(requirements));
            storage.insert("env_vars".to_owned(), json!(variables));
            storage.insert("files".to_owned(), json!(files));
            Value::Object(storage)
        },
    )
}

/// The text of a spec.
pub(crate) fn spec_text() -> impl Strategy<Value = String> {
    let spec = (storage(), vec(flow(), 0..4), option::weighted(0.1, "[a-z_]{1,8}"), any::<bool>());
    let spec = spec.prop_map(|(storage, flows, stray, as_toml)| {
        let mut spec = json!({ "storage": storage, "flows": flows });
        if let Some(stray) = stray {
            spec[&stray] = json!(1);
        }
        if as_toml { toml(&spec) } else { spec.to_string() }
    });
    Union::new_weighted(vec![(20, spec.boxed()), (1, any::<String>().boxed())])
}

/// One line for each key at the top, and inline tables below. JSON's strings are valid in TOML, except for DEL.
fn toml(spec: &Value) -> String {
    let lines = spec.as_object().into_iter().flatten().map(|(key, value)| format!("{key} = {}\n", inline(value)));
    lines.collect()
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{} = {}", inline(&json!(key)), inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string().replace('\u{7f}', "\\u007f"),
    }
}
