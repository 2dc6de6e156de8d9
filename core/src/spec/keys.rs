//! Every key that a spec can have: for completion, for keys in the wrong table, and for people.
//!
//! The reading code decides which values a key may have; a test keeps this list in step with that code.

use crate::{
    flow::Format,
    settings::{INLINE, Installer, Naming},
    storage::StorageKind,
};

/// A table of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTable {
    /// The spec itself.
    Spec,
    /// `[storage]`
    Storage,
    /// Each of `[[flows]]`.
    Flows,
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Text.
    String,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// Keys and values, or a list of tables.
    Table,
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The table that has it.
    pub table: KeyTable,
    /// The key as it is written.
    pub name: &'static str,
    /// The type of its value.
    pub value: KeyType,
    /// The only type of storage that takes the key; `None` if all types do.
    pub storage: Option<StorageKind>,
    /// All values that the key can have, if they can be listed.
    pub values: &'static [&'static str],
    /// What the key means, in a sentence.
    pub doc: &'static str,
}

impl Key {
    /// How messages name the table.
    pub const fn place(&self) -> &'static str {
        match self.table {
            KeyTable::Spec => "the spec itself, before [storage]",
            KeyTable::Storage => "[storage]",
            KeyTable::Flows => "[[flows]]",
        }
    }

    const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }
}

const fn key(table: KeyTable, name: &'static str, value: KeyType, doc: &'static str) -> Key {
    Key { table, name, value, storage: None, values: &[], doc }
}

/// A key of `[storage]` for the type `docker` alone.
const fn docker(name: &'static str, value: KeyType, doc: &'static str) -> Key {
    Key { storage: Some(StorageKind::Docker), ..key(KeyTable::Storage, name, value, doc) }
}

use KeyTable::{Flows, Spec, Storage};
use KeyType::{Array, Boolean, Number, String, Table};

/// All keys, in the order in which people write them.
pub const KEYS: &[Key] = &[
    key(Spec, "storage", Table, "Which storage, and its arguments."),
    key(Spec, "flows", Table, "The flows, each a table of its own: [[flows]]."),
    key(Spec, "policies", Array, "WebAssembly components that judge the plan, relative to the spec."),
    key(Storage, "type", String, "Where flows are stored; local where it is left out.").one_of(StorageKind::WORDS),
    Key {
        storage: Some(StorageKind::Local),
        ..key(Storage, "directory", String, "The directory of the flows; ~/.prefect/flows where it is left out.")
    },
    docker("registry_url", String, "The registry to push to; not pushed without. No https:// before it."),
    docker("base_image", String, "The image to start from; the Python that pickles the flows where it is left out."),
    docker("python_dependencies", Array, "PEP 508 requirements, installed in one go."),
    docker("image_name", String, "The image's name; chosen by naming where it is left out."),
    docker("image_tag", String, "The image's tag; chosen by naming where it is left out."),
    docker("env_vars", Table, "Environment variables of the image. Values are taken as they are."),
    docker(
        "files",
        Table,
        "Absolute path here = path in the image. A slash at the end is a directory, into which it goes.",
    ),
    docker("base_url", String, "The Docker daemon's address: unix://, tcp://, http(s):// or npipe://."),
    docker("prefect_version", String, "Prefect's release, branch, tag or commit to install."),
    docker("local_image", Boolean, "Whether the base image is local: then it is not pulled."),
    docker(
        "naming",
        String,
        "How missing names are chosen: by UUID, by the only flow and the time, or by the plan digest.",
    )
    .one_of(Naming::WORDS),
    docker("prefect_directory", String, "Where flows are in the image; /root/.prefect where it is left out."),
    docker("installer", String, "What installs the requirements; uv where it can, else pip, where it is left out.")
        .one_of(Installer::WORDS),
    docker("platform", String, "The image's platform, such as linux/arm64; the daemon's own where it is left out."),
    docker("network", String, "The network of the build's steps: none, host, default."),
    docker("build_args", Table, "Arguments of the build, such as proxies. They don't get into the image."),
    docker("secrets", Array, "Secrets while installing, each { id, env } or { id, file }; in no layer."),
    docker("cache_from", Array, "Images, such as the last one that was pushed, whose steps are not run again."),
    docker("cache_to", String, "inline: the pushed image can be in cache_from later.").one_of(&[INLINE]),
    key(Storage, "python", String, "The interpreter that pickles the flows' objects."),
    key(Storage, "python_version", String, "The Python that pickled the flows, such as 3.11."),
    key(Storage, "cloudpickle_version", String, "The cloudpickle that pickled the flows."),
    key(Flows, "path", String, "The flow's file, relative to the spec."),
    key(Flows, "object", String, "The object in the file that is pickled; without it a .py is stored as a script."),
    key(Flows, "name", String, "The flow's name; the object's own, else the file's, where it is left out."),
    key(Flows, "format", String, "What the bytes are; told by object and extension where it is left out.")
        .one_of(Format::WORDS),
    key(Flows, "size", Number, "The length in bytes: a resolved spec states it."),
    key(Flows, "sha256", String, "The digest of the bytes: a resolved spec states it."),
];

/// The keys that only this type of storage takes.
pub(crate) fn of_storage(kind: StorageKind) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.storage == Some(kind))
}

/// Keys and the tables in which they belong, for reports about keys in the wrong table.
pub(crate) fn places() -> Vec<(&'static str, &'static str)> {
    // Other tables have these keys, too.
    let told = |key: &&Key| !matches!(key.name, "name" | "size" | "sha256");
    KEYS.iter().filter(told).map(|key| (key.name, key.place())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::Code, spec::Spec as ReadSpec};

    fn codes(text: &str) -> Vec<(Code, std::string::String)> {
        let (_, diagnostics) = ReadSpec::parse(text);
        diagnostics.into_iter().map(|one| (one.code, one.field)).collect()
    }

    /// Each key gets a value of the wrong type, which the code that reads the key reports.
    #[test]
    fn every_key_is_read_and_has_the_type_that_is_said() {
        for key in KEYS.iter().filter(|key| key.table != Spec) {
            let other = if key.value == Table { "1" } else { "{ x = 1 }" };
            let kind = key.storage.unwrap_or(StorageKind::Local).as_str();
            let (text, field) = match key.table {
                Flows => (format!("[[flows]]\n{} = {other}\n", key.name), format!("flows[0].{}", key.name)),
                _ => {
                    let line =
                        if key.name == "type" { std::string::String::new() } else { format!("type = {kind:?}\n") };
                    (format!("[storage]\n{line}{} = {other}\n", key.name), format!("storage.{}", key.name))
                }
            };
            let found = codes(&text);
            let report = (Code::WrongType, field.clone());
            let alone = (Code::MissingKey, field);
            assert!(found.contains(&report) || found.contains(&alone), "{text} {found:?}");
        }
    }

    #[test]
    fn what_is_not_in_the_list_is_not_read() {
        // The words that `finish` suggests come from the reading code: each must be in the list.
        for kind in StorageKind::WORDS {
            for key in KEYS.iter().filter(|key| key.table == Storage) {
                let slip = format!("{}q", key.name);
                let text = format!("[storage]\ntype = {kind:?}\n{slip} = 1\n");
                let (_, diagnostics) = ReadSpec::parse(&text);
                let help = diagnostics.iter().find_map(|one| one.help.as_deref()).unwrap_or_default();
                let known = help.strip_prefix("did you mean ").and_then(|word| word.strip_suffix('?')).unwrap_or("");
                assert!(KEYS.iter().any(|key| key.name == known), "{slip}: {help}");
            }
        }
    }
}
