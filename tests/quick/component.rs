//! The component asks for our interfaces and for nothing else: no `wasi:*`, no `env`. The interfaces have a version,
//! and each of their items is documented.

use std::collections::BTreeSet;

use wit_component::DecodedWasm;
use wit_parser::{Docs, Resolve, TypeDefKind};

#[test]
fn its_imports_are_exactly_our_interfaces() {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(flowhold::host::COMPONENT).unwrap() else {
        panic!("the embedded bytes are no component");
    };
    let world = &resolve.worlds[world];
    let names = |keys: &mut dyn Iterator<Item = &_>| -> BTreeSet<String> {
        keys.map(|key| resolve.name_world_key(key)).collect()
    };
    let ours = |interfaces: &[&str]| -> BTreeSet<String> {
        interfaces.iter().map(|name| format!("flowhold:storage/{name}@0.1.0")).collect()
    };
    // diagnostics and plans have only types, which the functions of the other interfaces use.
    let imports = ["clock", "diagnostics", "docker", "files", "plans", "random"];
    assert_eq!(names(&mut world.imports.keys()), ours(&imports));
    assert_eq!(names(&mut world.exports.keys()), ours(&["planning", "storages"]));
}

#[test]
fn every_item_of_its_interface_is_documented() {
    let mut wit = Resolve::default();
    let (package, _) = wit.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/wit")).unwrap();
    assert_eq!(wit.packages[package].name.to_string(), format!("flowhold:storage@{}", env!("CARGO_PKG_VERSION")));
    let mut items = 0;
    let mut bare = Vec::new();
    let mut look = |name: String, docs: &Docs| {
        items += 1;
        // A sentence says more than the name does.
        if !docs.contents.as_ref().is_some_and(|text| text.trim_end().ends_with('.')) {
            bare.push(name);
        }
    };
    look("the package".to_owned(), &wit.packages[package].docs);
    for (_, world) in &wit.worlds {
        look(format!("world {}", world.name), &world.docs);
    }
    for (_, interface) in &wit.interfaces {
        let of = interface.name.as_deref().unwrap();
        look(format!("interface {of}"), &interface.docs);
        for (name, function) in &interface.functions {
            look(format!("{of}: {name}"), &function.docs);
        }
        for (name, id) in &interface.types {
            let named = &wit.types[*id];
            let mut member = |member: &str, docs: &Docs| look(format!("{of}: {name}.{member}"), docs);
            match &named.kind {
                // The name of another interface's type.
                TypeDefKind::Type(_) => continue,
                TypeDefKind::Record(record) => record.fields.iter().for_each(|one| member(&one.name, &one.docs)),
                TypeDefKind::Enum(cases) => cases.cases.iter().for_each(|one| member(&one.name, &one.docs)),
                TypeDefKind::Variant(cases) => cases.cases.iter().for_each(|one| member(&one.name, &one.docs)),
                TypeDefKind::Resource => {}
                other => panic!("{of}: {name} is a {}, whose parts this test does not know", other.as_str()),
            }
            look(format!("{of}: {name}"), &named.docs);
        }
    }
    assert!(bare.is_empty(), "no sentence about {bare:#?}");
    assert!(items > 150, "{items} items were found");
}
