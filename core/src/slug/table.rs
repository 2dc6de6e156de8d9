//! Strings by number, packed for the download: the layout of the tables that the build script writes.
//!
//! A table begins with offsets of four bytes, little-endian: where each page of 256 entries starts, and where the last
//! page ends. The entries follow. An entry ends with the first byte that has its high bit set, so that nothing but its
//! own bytes is stored; to find an entry, its page is scanned from the start. Numbers without entries at the end of a
//! page, often the whole page, take no space.

/// The number of entries in one page.
pub(super) const PAGE: usize = 256;

/// Set in the last byte of an entry, and only there.
pub(super) const END: u8 = 0x80;

/// Stands for a number within a page that has no entry.
pub(super) const ABSENT: u8 = END;

/// The entry of the empty text: DEL, which no other text contains.
pub(super) const EMPTY: u8 = END | 0x7f;

/// ASCII texts, or numbers above zero, each under a number of its own.
#[derive(Clone, Copy)]
pub(super) struct Table<'a>(&'a [u8]);

impl<'a> Table<'a> {
    pub(super) const fn new(packed: &'a [u8]) -> Self {
        Self(packed)
    }

    /// The text under `number`.
    pub(super) fn text(self, number: usize) -> Option<impl Iterator<Item = char> + use<'a>> {
        let entry = self.entry(number)?;
        let entry = if entry == [EMPTY] { &[] } else { entry };
        Some(entry.iter().map(|byte| char::from(byte & !END)))
    }

    /// The number under `number`: seven bits a byte, the highest first.
    pub(super) fn number(self, number: usize) -> Option<usize> {
        let entry = self.entry(number)?;
        Some(entry.iter().fold(0, |high, byte| high << 7 | usize::from(byte & !END)))
    }

    fn entry(self, number: usize) -> Option<&'a [u8]> {
        let page = number / PAGE;
        // The offsets end where the first page starts.
        let offsets = Self(self.0.get(..self.offset(0)?)?);
        let page = self.0.get(offsets.offset(page)?..offsets.offset(page + 1)?)?;
        page.split_inclusive(|byte| byte & END != 0).nth(number % PAGE).filter(|&entry| entry != [ABSENT])
    }

    fn offset(self, page: usize) -> Option<usize> {
        let (offsets, _) = self.0.as_chunks();
        offsets.get(page).map(|&offset| u32::from_le_bytes(offset) as usize)
    }
}
