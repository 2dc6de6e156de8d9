//! JSON as a tree: all JSON is read into it and written from it.
//!
//! Writing a text that was read keeps the order of members and the digits of numbers.

mod parse;

pub(crate) use parse::parse_with_places;
pub use parse::{SyntaxError, parse};
use std::fmt::{self, Write as _};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number, with its digits as they are written.
    Number(String),
    /// A text.
    String(String),
    /// Values in order.
    Array(Vec<Json>),
    /// Keys and values in order.
    Object(Object),
}

/// Keys and values in order. An object that was read may have a key twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(pub Vec<(String, Json)>);

impl Object {
    /// Replaces the value of a key, or adds the key at the end.
    pub fn put(&mut self, key: &str, value: impl Into<Json>) {
        self.put_value(key, value.into());
    }

    fn put_value(&mut self, key: &str, value: Json) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Adds a field if there is a value for it.
    pub fn put_some(&mut self, key: &str, value: Option<impl Into<Json>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// The value of a key; the last one if it appears twice.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl Json {
    /// An object with these members.
    pub fn object(members: Vec<(&str, Json)>) -> Self {
        Self::Object(Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        if let Self::Object(object) = self { object.get(key) } else { None }
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::String(text.clone())
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Json>> for Json {
    fn from(values: Vec<Json>) -> Self {
        Self::Array(values)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

/// Writes one line; with `{:#}`, for people, lines indented by two spaces.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text, f.alternate().then_some(0));
        f.write_str(&text)
    }
}

impl Json {
    fn write(&self, text: &mut String, indent: Option<usize>) {
        let inner = indent.map(|indent| indent + 1);
        match self {
            Self::Null => text.push_str("null"),
            Self::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => text.push_str(digits),
            Self::String(string) => write_string(string, text),
            Self::Array(values) => {
                text.push('[');
                for (index, value) in values.iter().enumerate() {
                    write_separator(index > 0, inner, text);
                    value.write(text, inner);
                }
                write_end(values.is_empty(), indent, text);
                text.push(']');
            }
            Self::Object(Object(members)) => {
                text.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    write_separator(index > 0, inner, text);
                    write_string(key, text);
                    text.push_str(if indent.is_some() { ": " } else { ":" });
                    value.write(text, inner);
                }
                write_end(members.is_empty(), indent, text);
                text.push('}');
            }
        }
    }
}

fn write_separator(follows: bool, indent: Option<usize>, text: &mut String) {
    if follows {
        text.push(',');
    }
    write_end(false, indent, text);
}

fn write_end(empty: bool, indent: Option<usize>, text: &mut String) {
    if let (Some(indent), false) = (indent, empty) {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", indent));
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    let mut rest = string;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        match special.as_bytes()[0] {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            8 => text.push_str("\\b"),
            12 => text.push_str("\\f"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            // Writing into a string can't fail.
            control => drop(write!(text, "\\u{control:04x}")),
        }
        rest = &special[1..];
    }
    text.push_str(rest);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The results of this parser and of serde_json.
    fn both(text: &str) -> [Result<String, String>; 2] {
        let ours = parse(text).map(|json| json.to_string()).map_err(|error| error.to_string());
        let theirs = serde_json::from_str::<serde_json::Value>(text);
        [ours, theirs.map(|value| value.to_string()).map_err(|error| error.to_string())]
    }

    fn check(text: &str) {
        let [ours, theirs] = both(text);
        assert_eq!(ours, theirs, "{text:?}");
        if let (Ok(ours), Ok(theirs)) = (parse(text), serde_json::from_str::<serde_json::Value>(text)) {
            assert_eq!(format!("{ours:#}"), format!("{theirs:#}"), "{text:?}");
        }
    }

    #[test]
    fn reads_and_writes_as_serde_json_does() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "\"",
            "{\"",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{,}",
            "{1:2}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\"}",
            "{\"a\":1}x",
            "[1,]",
            "[1 2]",
            "[,1]",
            "[1",
            "[1,",
            "tru",
            "truE",
            "nul",
            "fals",
            "-",
            "-x",
            "01",
            "1.",
            "1.x",
            "1e",
            "1e+",
            "1ex",
            "1e5x",
            ".5",
            "+1",
            "0x1",
            "-0x",
            "--1",
            "'a'",
            "\n\n  x",
            "[\n1,\n]",
            "\"\\x\"",
            "\"\\\"",
            "\"\\u12\"",
            "\"\\u12\" ",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\ud800x\"",
            "\"\\ud800\\n\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\\u",
            "\"\\ud83d",
            "\"\\ud83d\\",
            "\"a\nb\"",
            "\"\t\"",
            "\"\u{7f}é\\u00e9\\/\\b\\f\\n\\r\\t\\u0000\\u001f\"",
            "[[],{},[{}],{\"a\":[]}]",
            "{\"a\":{\"b\":[1,2.5,-3,true,false,null]}}",
            "18446744073709551615",
            "-9223372036854775808",
            "\u{feff}{}",
            "[\"é\", x]",
            "{\"é\": \"ü\", y}",
        ] {
            check(text);
        }
        for depth in [126, 127, 128, 129, 100_000] {
            check(&"[".repeat(depth));
            check(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
            check(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        for text in ["1.50", "1e5", "-0", "99999999999999999999999", "1E+400", "0.1"] {
            assert_eq!(parse(text).map(|json| json.to_string()).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_serde_json_reads_it(text in "[{}\\[\\],:\"\\\\a-fu0-3\\-+ \\n\\tné]{0,24}") {
            let [ours, theirs] = both(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok());
            prop_assert!(ours.is_ok() || ours == theirs, "{:?} {:?}", ours, theirs);
        }

        #[test]
        fn any_string_is_written_as_serde_json_writes_it(text in any::<String>()) {
            prop_assert_eq!(Json::from(&text).to_string(), serde_json::Value::from(text).to_string());
        }
    }
}
