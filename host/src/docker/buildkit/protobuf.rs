//! Protobuf, as far as BuildKit's messages need it.
//!
//! Written by hand: for a few small messages, a protobuf library would be the largest part.
//!
//! Invariant: any bytes can be read. A malformed field ends its message, and no size that a message claims is believed.

/// Longer texts are cut: no step has such a name.
const TEXT_BYTES: usize = 16 * 1024;

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => &[],
        }
    }

    pub(super) fn text(self) -> String {
        let bytes = self.bytes();
        String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES)]).into_owned()
    }

    pub(super) fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Bytes(_) => 0,
        }
    }
}

/// Numbers and values of a message's fields, up to the first that is malformed.
pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        field
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Number(varint(rest)?),
        1 => Value::Bytes(take(rest, 8)?),
        2 => {
            let length = varint(rest)?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Bytes(take(rest, 4)?),
        _ => return None,
    };
    Some((key >> 3, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    rest.split_off(..usize::try_from(length).ok()?)
}

/// The text of the first field with that number.
pub(super) fn text_field(message: &[u8], number: u64) -> Option<String> {
    fields(message).find(|(found, _)| *found == number).map(|(_, value)| value.text())
}

/// Adds a field of bytes to a message.
pub(super) fn push_field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    push_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Adds a number field to a message, unless it is zero, which is the value of a missing field.
pub(super) fn push_number(message: &mut Vec<u8>, number: u8, value: u64) {
    if value > 0 {
        message.push(number << 3);
        push_varint(message, value);
    }
}

fn push_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 300, 70_000] {
            let mut message = Vec::new();
            push_field(&mut message, 1, &vec![b'a'; length]);
            push_field(&mut message, 2, b"after");
            assert_eq!(text_field(&message, 1).unwrap().len(), length.min(TEXT_BYTES));
            assert_eq!(text_field(&message, 2).as_deref(), Some("after"));
            assert_eq!(text_field(&message, 3), None);
        }
    }

    #[test]
    fn numbers_that_are_written_are_read() {
        for value in [1, 0x7f, 0x80, 1 << 31, u64::MAX] {
            let mut message = Vec::new();
            push_number(&mut message, 6, value);
            push_number(&mut message, 7, 0);
            let read: Vec<_> = fields(&message).map(|(number, value)| (number, value.number())).collect();
            assert_eq!(read, [(6, value)]);
        }
    }
}
