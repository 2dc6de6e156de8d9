//! The text of a spec or of a serialized storage, TOML or JSON, as one tree with places in the text.

use crate::{
    json::{self, Json},
    order::sort,
};

/// A value and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// `None` for the document as a whole, and for values that don't come from a text.
    pub(crate) place: Option<Place>,
}

/// Where something is in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: u32,
    /// The first byte: of the key, if there is one, else of the value.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Node {
    pub(crate) fn line(&self) -> Option<u32> {
        self.place.map(|place| place.line)
    }
}

/// A value of TOML or JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A float, a date or a number out of range, which no field takes: only its kind matters.
    Other(&'static str),
    String(String),
    Array(Vec<Node>),
    /// In the order of the text. A JSON text may have a key twice.
    Table(Vec<(String, Node)>),
}

impl Value {
    /// For messages: `a string`.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::Other(kind) => kind,
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// Why a text is not a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
}

/// Reads JSON if the text begins with `{`, which no TOML does, and TOML otherwise.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    if text.trim_start().starts_with('{') { parse_json(text) } else { parse_toml(text) }
}

/// Reads JSON.
pub(crate) fn parse_json(text: &str) -> Result<Node, SyntaxError> {
    let lines = Lines::of(text);
    match json::parse_with_places(text) {
        Ok((json, places)) => {
            let mut places = places.into_iter().map(|span| lines.place(span));
            let mut node = Node::placed(&json, &mut places);
            node.place = None;
            Ok(node)
        }
        Err(error) => {
            let start = text.floor_char_boundary(error.at);
            let place = lines.place(start..text.ceil_char_boundary(start + 1));
            Err(SyntaxError { message: format!("not JSON: {error}"), place: Some(place) })
        }
    }
}

fn parse_toml(text: &str) -> Result<Node, SyntaxError> {
    let lines = Lines::of(text);
    match toml::de::DeTable::parse(text) {
        Ok(table) => Ok(Node { place: None, value: toml_table(table.into_inner(), &lines) }),
        Err(error) => {
            let place = error.span().map(|span| lines.place(span));
            let message = format!("not TOML: {}", error.message());
            Err(SyntaxError { message, place })
        }
    }
}

fn toml_table(table: toml::de::DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<_> = table.into_iter().collect();
    // The parser's map is ordered by key; people expect the order of their file, in the plan too.
    sort(&mut entries, |(one, _), (other, _)| one.span().start.cmp(&other.span().start));
    Value::Table(
        entries
            .into_iter()
            .map(|(key, value)| {
                // A table's span is the span of its header, whose bracket comes before the key.
                let start = key.span().start.min(value.span().start);
                let end = key.span().end.max(value.span().end);
                let place = Some(lines.place(start..end));
                let value = toml_value(value.into_inner(), lines);
                (key.into_inner().into_owned(), Node { value, place })
            })
            .collect(),
    )
}

fn toml_value(value: toml::de::DeValue<'_>, lines: &Lines) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Integer(value) => {
            i64::from_str_radix(value.as_str(), value.radix()).map_or(Value::Other("a number"), Value::Integer)
        }
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(values) => Value::Array(
            values
                .into_iter()
                .map(|value| {
                    let place = Some(lines.place(value.span()));
                    Node { value: toml_value(value.into_inner(), lines), place }
                })
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table, lines),
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        let line = u32::try_from(self.0.partition_point(|start| *start <= span.start)).unwrap_or(u32::MAX);
        Place { line, start: span.start, end: span.end }
    }
}

impl From<&Json> for Node {
    fn from(json: &Json) -> Self {
        Self::placed(json, &mut std::iter::empty())
    }
}

impl Node {
    /// `places` has the places of the value and of everything in it, in the order in which they begin.
    fn placed(json: &Json, places: &mut dyn Iterator<Item = Place>) -> Self {
        let place = places.next();
        let value = match json {
            Json::Null => Value::Null,
            Json::Boolean(value) => Value::Boolean(*value),
            Json::Number(digits) => match digits.parse() {
                Ok(_) if digits == "-0" => Value::Other("a number with a fraction"),
                Ok(number) => Value::Integer(number),
                Err(_) if digits.parse::<u64>().is_ok() => Value::Other("a number"),
                Err(_) => Value::Other("a number with a fraction"),
            },
            Json::String(text) => Value::String(text.clone()),
            Json::Array(values) => Value::Array(values.iter().map(|value| Self::placed(value, places)).collect()),
            Json::Object(object) => {
                Value::Table(object.0.iter().map(|(key, value)| (key.clone(), Self::placed(value, places))).collect())
            }
        };
        Self { value, place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_keeps_the_order_and_lines_of_the_text() {
        let Ok(Node { value: Value::Table(entries), .. }) = parse("z = 1\na = [\n  \"x\",\n]\n[t]\nk = 2.5\n") else {
            panic!("no table");
        };
        let seen: Vec<_> = entries.iter().map(|(key, node)| (key.as_str(), node.line())).collect();
        assert_eq!(seen, [("z", Some(1)), ("a", Some(2)), ("t", Some(5))]);
    }

    #[test]
    fn syntax_errors_have_a_line() {
        assert_eq!(parse("a = 1\nb = \n").unwrap_err().place.map(|place| place.line), Some(2));
        assert_eq!(parse("{\n\"a\": }").unwrap_err().place.map(|place| place.line), Some(2));
    }

    #[test]
    fn depth_has_a_limit() {
        assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
        assert!(parse(&format!("{{\"a\": {}", "[".repeat(100_000))).is_err());
    }

    #[test]
    fn json_has_places_too() {
        let text = "{\n  \"a\" : [ 1,\n {\"é\": \"x\"} ],\n \"b\": null }";
        let Ok(Node { value: Value::Table(entries), place: None }) = parse(text) else { panic!("no table") };
        let seen = |node: &Node| node.place.map(|place| (place.line, &text[place.start..place.end]));
        let [(_, a), (_, b)] = entries.as_slice() else { panic!("not two") };
        assert_eq!(seen(a), Some((2, "\"a\" : [ 1,\n {\"é\": \"x\"} ]")));
        assert_eq!(seen(b), Some((4, "\"b\": null")));
        let Value::Array(values) = &a.value else { panic!("no array") };
        assert_eq!(values.iter().map(seen).collect::<Vec<_>>(), [Some((2, "1")), Some((3, "{\"é\": \"x\"}"))]);
        let error = parse("{\n\"a\": }").unwrap_err().place.unwrap();
        assert_eq!((error.line, error.start), (2, 7));
    }

    #[test]
    fn json_may_have_a_key_twice() {
        assert!(matches!(parse("{\"a\": 1, \"a\": 2}").unwrap().value, Value::Table(entries) if entries.len() == 2));
    }
}
