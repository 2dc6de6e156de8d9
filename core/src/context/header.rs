//! Headers of tar entries as GNU tar writes them, which everything reads: names of any length and sizes of any file.

/// Everything in an archive is in blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Copy)]
pub(super) enum Type {
    File = b'0' as isize,
    Symlink = b'2' as isize,
    Directory = b'5' as isize,
    /// The content is the name of the next entry, which is too long for its header.
    LongName = b'L' as isize,
    /// The same for the target of a link.
    LongLink = b'K' as isize,
}

/// An entry without its content.
pub(super) struct Header<'e> {
    pub(super) name: &'e str,
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Seconds since 1970, of 33 bits at most.
    pub(super) time: u64,
    pub(super) kind: Type,
    /// The target of a link, else empty.
    pub(super) target: &'e str,
}

const NAME: std::ops::Range<usize> = 0..100;
const TARGET: std::ops::Range<usize> = 157..257;

impl Header<'_> {
    /// Writes it, and before it what is too long for it. The owner is root.
    pub(super) fn write(&self, archive: &mut Vec<u8>) {
        write_long(Type::LongName, self.name, archive);
        write_long(Type::LongLink, self.target, archive);
        let mut block = [0; BLOCK];
        put(&mut block, NAME.start, fitting(self.name).as_bytes());
        put(&mut block, 100, format!("{:07o}", self.mode).as_bytes());
        put(&mut block, 108, b"0000000");
        put(&mut block, 116, b"0000000");
        match format!("{:011o}", self.size) {
            octal if octal.len() == 11 => put(&mut block, 124, octal.as_bytes()),
            // From 8 GiB on: marked by the high bit, and binary.
            _ => put(&mut block, 124, &[&[0x80, 0, 0, 0], self.size.to_be_bytes().as_slice()].concat()),
        }
        put(&mut block, 136, format!("{:011o}", self.time).as_bytes());
        put(&mut block, 148, b"        ");
        put(&mut block, 156, &[self.kind as u8]);
        put(&mut block, TARGET.start, fitting(self.target).as_bytes());
        put(&mut block, 257, b"ustar  ");
        // Counted with spaces in its own place.
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut block, 148, format!("{sum:07o}\0").as_bytes());
        archive.extend(block);
    }
}

fn write_long(kind: Type, text: &str, archive: &mut Vec<u8>) {
    if text.len() > NAME.len() {
        let size = text.len() + 1;
        Header { name: "././@LongLink", mode: 0o644, size: size as u64, time: 0, kind, target: "" }.write(archive);
        archive.extend(text.bytes());
        archive.resize(archive.len() + size.next_multiple_of(BLOCK) - text.len(), 0);
    }
}

/// As much of a name as its place in the header takes.
fn fitting(name: &str) -> &str {
    let end = name.floor_char_boundary(NAME.len());
    name.get(..end).unwrap_or(name)
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = *byte);
}
