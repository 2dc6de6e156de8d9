//! Headers of tar entries in the GNU format, which every reader knows: names may have any length, files any size. The
//! tar crate would make the browser's module larger; a test compares these headers with those of the crate.

/// An archive consists of blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// The type of an entry.
#[derive(Clone, Copy)]
pub(super) enum Type {
    File = b'0' as isize,
    Symlink = b'2' as isize,
    Directory = b'5' as isize,
    /// The content is the name of the next entry, which is too long for its header.
    LongName = b'L' as isize,
    /// The content is the target of the next entry's link, which is too long for its header.
    LongLink = b'K' as isize,
}

/// An entry without its content.
pub(super) struct Header<'e> {
    pub(super) name: &'e str,
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Seconds since 1970, at most 33 bits.
    pub(super) time: u64,
    pub(super) kind: Type,
    /// The target of a link; empty for other entries.
    pub(super) target: &'e str,
}

/// The longest name, and the longest target of a link, that fit into a header.
const LONGEST: usize = 100;

/// Where the fields of a header begin.
mod at {
    pub(super) const NAME: usize = 0;
    pub(super) const MODE: usize = 100;
    pub(super) const USER: usize = 108;
    pub(super) const GROUP: usize = 116;
    pub(super) const SIZE: usize = 124;
    pub(super) const TIME: usize = 136;
    pub(super) const CHECKSUM: usize = 148;
    pub(super) const TYPE: usize = 156;
    pub(super) const TARGET: usize = 157;
    pub(super) const MAGIC: usize = 257;
}

impl Header<'_> {
    /// Writes the header, after an entry for each name or target that is too long for it. The owner is root.
    pub(super) fn write(&self, archive: &mut Vec<u8>) {
        write_long(Type::LongName, self.name, archive);
        write_long(Type::LongLink, self.target, archive);
        let mut block = [0; BLOCK];
        put(&mut block, at::NAME, fitting(self.name).as_bytes());
        put(&mut block, at::MODE, format!("{:07o}", self.mode).as_bytes());
        put(&mut block, at::USER, b"0000000");
        put(&mut block, at::GROUP, b"0000000");
        match format!("{:011o}", self.size) {
            octal if octal.len() == 11 => put(&mut block, at::SIZE, octal.as_bytes()),
            // From 8 GiB on, the size is binary and marked by the high bit.
            _ => put(&mut block, at::SIZE, &[&[0x80, 0, 0, 0], self.size.to_be_bytes().as_slice()].concat()),
        }
        put(&mut block, at::TIME, format!("{:011o}", self.time).as_bytes());
        put(&mut block, at::CHECKSUM, b"        ");
        put(&mut block, at::TYPE, &[self.kind as u8]);
        put(&mut block, at::TARGET, fitting(self.target).as_bytes());
        put(&mut block, at::MAGIC, b"ustar  ");
        // The checksum counts its own field as spaces.
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut block, at::CHECKSUM, format!("{sum:07o}\0").as_bytes());
        archive.extend(block);
    }
}

fn write_long(kind: Type, text: &str, archive: &mut Vec<u8>) {
    if text.len() > LONGEST {
        let size = text.len() + 1;
        Header { name: "././@LongLink", mode: 0o644, size: size as u64, time: 0, kind, target: "" }.write(archive);
        archive.extend(text.bytes());
        archive.resize(archive.len() + size.next_multiple_of(BLOCK) - text.len(), 0);
    }
}

/// The beginning of a name, as much as fits into its field of the header.
fn fitting(name: &str) -> &str {
    let end = name.floor_char_boundary(LONGEST);
    name.get(..end).unwrap_or(name)
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = *byte);
}
