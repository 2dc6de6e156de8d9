//! What the benchmarks share: work of a given size, done by the native core or by the core in wasmtime.
#![expect(clippy::expect_used, reason = "work that can't be done is no benchmark")]
#![forbid(unsafe_code)]

use std::rc::Rc;

use flowhold::{Host, Need, Plan, Session, SpecText};
use flowhold_core::{
    blob::Content,
    flow::{Flow, Format},
    preview::Preview,
    resolve::Facts,
    spec::Spec,
    storage::{BytesStorage, Storage},
};

/// Names in every script that slugs are tested with.
const NAMES: &str = include_str!("../../vectors/slug.json");

/// The text of a spec of this many flows, with nothing left open: planning it needs no files.
pub fn spec(flows: usize) -> String {
    let mut text = String::from(
        "[storage]\ntype = \"docker\"\nregistry_url = \"localhost:5000/acme\"\nbase_image = \"python:3.9-slim\"\n\
         image_name = \"many\"\nimage_tag = \"v1\"\npython_version = \"3.9\"\nprefect_version = \"0.6.6\"\n\
         python_dependencies = [\"six>=1\", \"pandas>=1,<2\"]\nenv_vars = { MODE = \"it's $HOME\" }\n",
    );
    for number in 0..flows {
        text.push_str(&format!(
            "\n[[flows]]\npath = \"flows/flow_{number}.py\"\nname = \"Flow number {number}\"\nsize = 2048\n\
             sha256 = \"{number:064x}\"\n"
        ));
    }
    text
}

/// Plans such a spec natively.
pub fn plan(text: &str) -> Preview {
    let (spec, diagnostics) = Spec::parse(text);
    let facts = spec.as_ref().map(Facts::skipping).unwrap_or_default();
    Preview::of(spec.map(Rc::new), diagnostics, Facts { folder: Some("/".to_owned()), ..facts })
}

/// Plans such a spec in wasmtime.
pub async fn plan_in(session: &mut Session, spec: &SpecText) -> Plan {
    session.plan(spec, None, Need::Preview).await.expect("the core works")
}

/// A text as sessions take it.
pub fn spec_text(text: String) -> SpecText {
    SpecText { text, folder: "/".into() }
}

/// A session of a host without any grants.
pub async fn session(host: &Host) -> Session {
    host.session().await.expect("the core can be instantiated")
}

/// A bytes storage of this many flows of 2 KB.
pub fn bytes_storage(flows: usize) -> Storage {
    let mut storage = BytesStorage::default();
    for number in 0..flows {
        let name = format!("Flow number {number}").parse().expect("it is a name");
        let flow = Flow { name, format: Format::Script, content: Content::from_bytes(vec![b'#'; 2048]) };
        storage.add_flow(flow).expect("names differ");
    }
    Storage::Bytes(storage)
}

/// The names that slugs are tested with.
pub fn names() -> Vec<String> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(NAMES).expect("the vectors are JSON");
    rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
}

/// A runtime for the host's futures, which wait for nothing here.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}
