//! Reads JSON. The parser takes the same texts as serde_json and reports the same errors, but keeps numbers as they are
//! written, however large. serde_json itself doesn't tell where each value is, and would make the browser's module
//! larger.

use std::ops::Range;

use super::{Json, Object};

/// How deeply values may be nested.
const DEEPEST: usize = 127;

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct SyntaxError {
    what: &'static str,
    /// Counted from 1.
    pub line: u32,
    column: usize,
    /// Where the fault is, in bytes.
    pub(crate) at: usize,
}

/// Reads a text that is one value.
///
/// # Errors
/// If it is anything else.
pub fn parse(text: &str) -> Result<Json, SyntaxError> {
    parse_with_places(text).map(|(value, _)| value)
}

/// Reads a text that is one value. Also returns the range in bytes of this value and of each value in it, in the order
/// in which they begin; a member of an object begins with its key.
pub(crate) fn parse_with_places(text: &str) -> Result<(Json, Vec<Range<usize>>), SyntaxError> {
    let mut parser = Parser { text, at: 0, depth: 0, places: Vec::new() };
    let value = parser.value(None)?;
    match parser.next_token() {
        None => Ok((value, parser.places)),
        Some(_) => Err(parser.unexpected("trailing characters")),
    }
}

const END_OF_VALUE: &str = "EOF while parsing a value";
const END_OF_STRING: &str = "EOF while parsing a string";
const INVALID_NUMBER: &str = "invalid number";
const LONE_SURROGATE: &str = "lone leading surrogate in hex escape";

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    places: Vec<Range<usize>>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Skips white space, and returns the byte after it.
    fn next_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// An error about the byte that was just read.
    fn error(&self, what: &'static str) -> SyntaxError {
        let before = self.text.as_bytes().get(..self.at.min(self.text.len())).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let (line, column) = (u32::try_from(lines + 1).unwrap_or(u32::MAX), before.len() - line_start);
        SyntaxError { what, line, column, at: before.len().saturating_sub(1) }
    }

    /// An error about the next byte.
    fn unexpected(&mut self, what: &'static str) -> SyntaxError {
        self.at += 1;
        self.error(what)
    }

    /// Reads a value. Its range begins at `key`, if it has one.
    fn value(&mut self, key: Option<usize>) -> Result<Json, SyntaxError> {
        self.next_token();
        let place = self.places.len();
        self.places.push(key.unwrap_or(self.at)..self.at);
        let value = self.kind_of_value()?;
        if let Some(place) = self.places.get_mut(place) {
            place.end = self.at;
        }
        Ok(value)
    }

    fn kind_of_value(&mut self) -> Result<Json, SyntaxError> {
        match self.peek() {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Boolean(true)),
            Some(b'f') => self.word("false", Json::Boolean(false)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'"') => self.string().map(Json::String),
            Some(b'[' | b'{') if self.depth == DEEPEST => Err(self.unexpected("recursion limit exceeded")),
            Some(open @ (b'[' | b'{')) => {
                self.at += 1;
                self.depth += 1;
                let value = if open == b'[' { self.array() } else { self.object() };
                self.depth -= 1;
                value
            }
            Some(_) => Err(self.unexpected("expected value")),
            None => Err(self.unexpected(END_OF_VALUE)),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, SyntaxError> {
        for expected in word.bytes() {
            match self.next() {
                Some(byte) if byte == expected => {}
                Some(_) => return Err(self.error("expected ident")),
                None => return Err(self.error(END_OF_VALUE)),
            }
        }
        Ok(value)
    }

    fn array(&mut self) -> Result<Json, SyntaxError> {
        let mut values = Vec::new();
        loop {
            match self.next_token() {
                Some(b']') => break,
                Some(b',') if !values.is_empty() => {
                    self.at += 1;
                    match self.next_token() {
                        Some(b']') => return Err(self.unexpected("trailing comma")),
                        Some(_) => {}
                        None => return Err(self.unexpected(END_OF_VALUE)),
                    }
                }
                Some(_) if values.is_empty() => {}
                Some(_) => return Err(self.unexpected("expected `,` or `]`")),
                None => return Err(self.unexpected("EOF while parsing a list")),
            }
            values.push(self.value(None)?);
        }
        self.at += 1;
        Ok(Json::Array(values))
    }

    fn object(&mut self) -> Result<Json, SyntaxError> {
        let mut members = Vec::new();
        loop {
            match self.next_token() {
                Some(b'}') => break,
                Some(b',') if !members.is_empty() => {
                    self.at += 1;
                    match self.next_token() {
                        Some(b'"') => {}
                        Some(b'}') => return Err(self.unexpected("trailing comma")),
                        Some(_) => return Err(self.unexpected("key must be a string")),
                        None => return Err(self.unexpected(END_OF_VALUE)),
                    }
                }
                Some(b'"') if members.is_empty() => {}
                Some(_) if members.is_empty() => return Err(self.unexpected("key must be a string")),
                Some(_) => return Err(self.unexpected("expected `,` or `}`")),
                None => return Err(self.unexpected("EOF while parsing an object")),
            }
            let start = self.at;
            let key = self.string()?;
            match self.next_token() {
                Some(b':') => self.at += 1,
                Some(_) => return Err(self.unexpected("expected `:`")),
                None => return Err(self.unexpected("EOF while parsing an object")),
            }
            members.push((key, self.value(Some(start))?));
        }
        self.at += 1;
        Ok(Json::Object(Object(members)))
    }

    fn number(&mut self) -> Result<Json, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.next() {
            Some(b'0') if matches!(self.peek(), Some(b'0'..=b'9')) => return Err(self.unexpected(INVALID_NUMBER)),
            Some(b'0'..=b'9') => self.digits(),
            Some(_) => return Err(self.error(INVALID_NUMBER)),
            None => return Err(self.error(END_OF_VALUE)),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            match self.peek() {
                Some(b'0'..=b'9') => self.digits(),
                Some(_) => return Err(self.unexpected(INVALID_NUMBER)),
                None => return Err(self.unexpected(END_OF_VALUE)),
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            match self.next() {
                Some(b'0'..=b'9') => self.digits(),
                Some(_) => return Err(self.error(INVALID_NUMBER)),
                None => return Err(self.error(END_OF_VALUE)),
            }
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default().to_owned()))
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads a string, whose opening quote is next.
    fn string(&mut self) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..b' ')) {
                self.at += 1;
            }
            string.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.next() {
                Some(b'"') => return Ok(string),
                Some(b'\\') => string.push(self.escape()?),
                Some(_) => return Err(self.error("control character (\\u0000-\\u001F) found while parsing a string")),
                None => return Err(self.error(END_OF_STRING)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        Ok(match self.next() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.code_point()?,
            Some(_) => return Err(self.error("invalid escape")),
            None => return Err(self.error(END_OF_STRING)),
        })
    }

    /// Reads what follows `\u`: four digits, or two such groups for a character beyond U+FFFF.
    fn code_point(&mut self) -> Result<char, SyntaxError> {
        let high = self.four_digits()?;
        if let Some(character) = char::from_u32(high) {
            return Ok(character);
        }
        if high >= 0xdc00 {
            return Err(self.error(LONE_SURROGATE));
        }
        for expected in [b'\\', b'u'] {
            match self.next() {
                Some(byte) if byte == expected => {}
                Some(_) => return Err(self.error("unexpected end of hex escape")),
                None => return Err(self.error(END_OF_STRING)),
            }
        }
        let low = self.four_digits()?;
        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(|| self.error(LONE_SURROGATE))?;
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + low).ok_or_else(|| self.error(LONE_SURROGATE))
    }

    fn four_digits(&mut self) -> Result<u32, SyntaxError> {
        let Some(digits) = self.text.as_bytes().get(self.at..self.at + 4) else {
            self.at = self.text.len();
            return Err(self.error(END_OF_STRING));
        };
        self.at += 4;
        let digit = |number: Option<u32>, byte: &u8| Some(number? << 4 | char::from(*byte).to_digit(16)?);
        digits.iter().fold(Some(0), digit).ok_or_else(|| self.error("invalid escape"))
    }
}
