//! The component asks for our interfaces and for nothing else: no `wasi:*`, no `env`.

use std::collections::BTreeSet;

use wit_component::DecodedWasm;

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
    // diagnostics and plans have types only, which the functions of the others use.
    let imports = ["clock", "diagnostics", "docker", "files", "plans", "random"];
    assert_eq!(names(&mut world.imports.keys()), ours(&imports));
    assert_eq!(names(&mut world.exports.keys()), ours(&["planning", "storages"]));
}
