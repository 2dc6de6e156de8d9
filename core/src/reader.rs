//! Reads tables field by field and collects everything that is wrong, not just the first thing.
//!
//! A table knows the keys for which the reading code has asked. A test keeps them in step with `spec::keys`, the list
//! for people.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::{
    diagnostic::{Code, Diagnostic},
    document::{Node, Value},
    failure::Explain,
    literal_secret::{is_secret, secret_in_reference},
};

/// Collects the diagnostics of one document.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Keys that other tables of the document know, to say where a misplaced key belongs.
    pub(crate) elsewhere: Vec<(&'static str, &'static str)>,
    /// Bytes of all findings reported so far.
    told: usize,
}

/// A table, with the entries that have not been asked for yet.
pub(crate) struct Table<'n> {
    path: String,
    entries: Vec<(&'n str, &'n Node)>,
    known: Vec<&'static str>,
}

/// A field's name, value and place.
pub(crate) struct Field<'n> {
    pub(crate) path: String,
    pub(crate) node: &'n Node,
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.path, self.node.value)
    }
}

/// `parent.key`, or `parent["odd key"]`.
pub(crate) fn join_path(parent: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match (parent, bare) {
        ("", _) => key.to_owned(),
        (_, true) => [parent, ".", key].concat(),
        (_, false) => format!("{parent}[{key:?}]"),
    }
}

/// Findings beyond this many bytes in all are dropped, except the first error.
const MOST: usize = 1 << 20;

/// The text with `…` in place of everything between its first and its last quotation mark.
fn without_quotations(text: &str) -> Option<String> {
    let (start, end) = (text.find('"')?, text.rfind('"')?);
    Some([&text[..=start], "…", &text[end..]].concat())
}

impl Reader {
    /// Reports a finding about a field.
    pub(crate) fn report(&mut self, code: Code, field: &Field<'_>, message: impl Into<String>, help: Option<&str>) {
        self.add(code, field, message.into(), help);
    }

    /// `report` without its type parameter, so that it is compiled once.
    #[inline(never)]
    fn add(&mut self, code: Code, field: &Field<'_>, mut message: String, mut help: Option<&str>) {
        if let Value::String(text) = &field.node.value
            && code != Code::LiteralSecret
            && let Some(secret) = secret_in_reference(text)
        {
            // A quotation may have the secret cut or escaped.
            message = message.replace(secret, "…");
            message = without_quotations(&message).unwrap_or(message);
            help = help.filter(|help| !help.contains('"'));
        }
        self.told += field.path.len() + message.len();
        let mut diagnostic = Diagnostic::new(code, &field.path, message).with_help(help);
        diagnostic.line = field.node.line();
        if self.told <= MOST || diagnostic.is_error() && !self.diagnostics.iter().any(Diagnostic::is_error) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn wrong_type(&mut self, field: &Field<'_>, wanted: &str) {
        let found = field.node.value.kind();
        let name = if field.path.is_empty() { "the whole" } else { field.path.as_str() };
        self.report(Code::WrongType, field, format!("{name} must be {wanted}, not {found}"), None);
    }

    /// Reads a field that must be a table.
    pub(crate) fn table<'n>(&mut self, field: &Field<'n>) -> Option<Table<'n>> {
        let Value::Table(entries) = &field.node.value else {
            self.wrong_type(field, "a table");
            return None;
        };
        let mut seen = BTreeSet::new();
        let mut first = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            if seen.insert(key.as_str()) {
                first.push((key.as_str(), node));
            } else {
                let field = Field { path: join_path(&field.path, key), node };
                self.report(Code::DuplicateKey, &field, format!("{} appears twice", field.path), None);
            }
        }
        Some(Table { path: field.path.clone(), entries: first, known: Vec::new() })
    }

    /// Reads a field that must be a string.
    pub(crate) fn text<'n>(&mut self, field: &Field<'n>) -> Option<&'n str> {
        let Value::String(text) = &field.node.value else {
            self.wrong_type(field, "a string");
            return None;
        };
        Some(text)
    }

    /// Reads a field that must be a boolean.
    pub(crate) fn flag(&mut self, field: &Field<'_>) -> Option<bool> {
        let Value::Boolean(flag) = field.node.value else {
            self.wrong_type(field, "true or false");
            return None;
        };
        Some(flag)
    }

    /// Reads a field that must be a whole number, not less than 0.
    pub(crate) fn number(&mut self, field: &Field<'_>) -> Option<u64> {
        let number = match field.node.value {
            Value::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(field, "a whole number");
        }
        number
    }

    /// Reads a field that must be a string, and parses the string.
    pub(crate) fn parse<T: FromStr<Err: Explain>>(&mut self, field: &Field<'_>) -> Option<T> {
        match self.text(field)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(field, &error);
                None
            }
        }
    }

    /// Reports a secret in a field: the value of `variable`, or, without one, a reference or a text with a URL in it.
    pub(crate) fn find_secret(&mut self, field: &Field<'_>, variable: Option<&str>) {
        let Value::String(text) = &field.node.value else { return };
        if variable.map_or_else(|| secret_in_reference(text).is_some(), |name| is_secret(name, text)) {
            let help = "installing can have it by secrets = [{ id = \"NAME\", env = \"NAME\" }], a flow by flowhold run -e, a registry by docker login";
            self.report(Code::LiteralSecret, field, "this looks like a secret that everybody can read", Some(help));
        }
    }

    /// Reports a parser's error about a field.
    pub(crate) fn refuse(&mut self, field: &Field<'_>, error: &dyn Explain) {
        self.report(error.code(), field, error.to_string(), error.help().as_deref());
    }

    /// Reads a field that must be an array.
    pub(crate) fn elements<'n>(&mut self, field: &Field<'n>) -> Vec<Field<'n>> {
        let Value::Array(nodes) = &field.node.value else {
            self.wrong_type(field, "an array");
            return Vec::new();
        };
        // A long path is not worth repeating for each element.
        let path = &field.path[..field.path.floor_char_boundary(512)];
        nodes.iter().enumerate().map(|(index, node)| Field { path: format!("{path}[{index}]"), node }).collect()
    }

    /// Reports every key that has not been asked for, with the nearest known key.
    pub(crate) fn finish(&mut self, table: Table<'_>) {
        for (key, node) in table.entries {
            let field = Field { path: join_path(&table.path, key), node };
            let help = match self.elsewhere.iter().find(|(known, _)| *known == key) {
                Some((_, place)) => Some(format!("{key} belongs in {place}")),
                None => nearest(key, &table.known).map(|(known, is_slip)| match is_slip {
                    true => format!("did you mean {known}?"),
                    false => format!("the nearest known key is {known}"),
                }),
            };
            let place = if table.path.is_empty() { "a spec" } else { table.path.as_str() };
            self.report(Code::UnknownKey, &field, format!("unknown key {key:?} in {place}"), help.as_deref());
        }
    }
}

impl<'n> Table<'n> {
    /// The field with this key, if it is there and not null.
    pub(crate) fn field(&mut self, key: &'static str) -> Option<Field<'n>> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, _)| *name == key)?;
        let (_, node) = self.entries.remove(at);
        (node.value != Value::Null).then(|| Field { path: join_path(&self.path, key), node })
    }

    /// Takes all entries that have not been asked for: those of a map with free keys.
    pub(crate) fn rest(&mut self) -> Vec<(&'n str, Field<'n>)> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(key, node)| (key, Field { path: join_path(&self.path, key), node }))
            .collect()
    }
}

/// The known word nearest to `word`, and whether it is near enough to be what was meant.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<(&'k str, bool)> {
    let word = &word[..word.floor_char_boundary(64)];
    let likeness = |candidate: &&'k str| {
        // People often remember only part of a name.
        let part = f64::from(u8::from(word.len() > 2 && candidate.contains(word)));
        (strsim::jaro_winkler(word, candidate) + part, *candidate)
    };
    let best = known.iter().map(likeness).max_by(|one, other| one.0.total_cmp(&other.0));
    best.map(|(likeness, candidate)| (candidate, likeness > 0.8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(join_path("", "storage"), "storage");
        assert_eq!(join_path("storage.files", "/a b"), "storage.files[\"/a b\"]");
        assert_eq!(join_path("storage.env_vars", "MODE"), "storage.env_vars.MODE");
    }

    #[test]
    fn slips_are_recognised() {
        let known: Vec<_> =
            crate::spec::keys::of_storage(crate::storage::StorageKind::Docker).map(|key| key.name).collect();
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("baseimage", "base_image"), ("base-image", "base_image"), ("base_imgae", "base_image"),
            ("file", "files"), ("registry", "registry_url"), ("registry_rul", "registry_url"), ("env", "env_vars"),
            ("dependencies", "python_dependencies"), ("python_deps", "python_dependencies"), ("name", "image_name"),
            ("tag", "image_tag"), ("image", "image_tag"), ("prefect", "prefect_version"), ("local", "local_image"),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest(word, &known), Some((meant, true)), "{word}");
        }
        for word in ["schedule", "bogus", "🚀", ""] {
            assert!(matches!(nearest(word, &known), Some((_, false))), "{word}");
        }
        assert!(nearest(&"é".repeat(1 << 20), &known).is_some());
        assert_eq!(nearest("files", &[]), None);
    }
}
