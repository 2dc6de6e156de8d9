//! Writes the tables that slugs are made with, which `src/slug/` reads, and the digests of `src/script.rs`.

#![expect(clippy::disallowed_methods, reason = "it runs while the core is built and is no part of it")]
#![forbid(unsafe_code)]

use script::{SHARED, is_common, is_ideograph};
use sha2::{Digest as _, Sha256};
use std::{cmp::Reverse, collections::BTreeMap, env, error::Error, fs, path::Path};
use table::{ABSENT, EMPTY, END, PAGE, Table};

#[path = "src/slug/reference.rs"]
mod reference;
#[path = "src/slug/script.rs"]
mod script;
#[path = "src/slug/table.rs"]
mod table;

fn main() -> Result<(), Box<dyn Error>> {
    for watched in [
        "build.rs",
        "src/install.py",
        "src/health_check.py",
        "src/slug/script.rs",
        "src/slug/reference.rs",
        "src/slug/table.rs",
    ] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let text_of = |c: char| if c.is_ascii() { None } else { reference::transliteration(c) };
    let shared = by_frequency(('\0'..=char::MAX).filter(|&c| is_ideograph(c)).filter_map(text_of));
    // A table holds no zero, hence the readings count from 1.
    let numbers: BTreeMap<&str, usize> = shared.iter().copied().zip(1..).collect();
    // Hangul is spelled by rule, and text-unidecode knows nothing beyond U+FFFF.
    let read = |c: char| match text_of(c)? {
        _ if is_common(c) || matches!(c, '\u{ac00}'..='\u{d7a3}' | '\u{10000}'..) => None,
        text if is_ideograph(c) => numbers.get(text).map(|&number| Entry::Number(number)),
        text => Some(Entry::Text(text.to_owned())),
    };
    let mut readings = by_code_point(read);
    for (text, number) in &numbers {
        readings[SHARED + number] = Some(Entry::Text((*text).to_owned()));
    }
    let letters = by_code_point(|c| text_of(c).filter(|_| is_common(c)).map(|text| Entry::Text(text.to_owned())));
    let decompositions = by_code_point(|c| {
        let text = reference::compatibility(c);
        (!c.is_ascii() && text != " ").then_some(Entry::Text(text))
    });

    let out = env::var("OUT_DIR")?;
    let write = |name: &str, bytes: &[u8]| fs::write(Path::new(&out).join(name), bytes);
    let readings = packed(readings)?;
    write("readings.bin", &readings)?;
    write("readings.sha256", &Sha256::digest(&readings))?;
    write("letters.bin", &packed(letters)?)?;
    write("decompositions.bin", &packed(decompositions)?)?;
    let mut scripts = Vec::new();
    for name in ["install.py", "health_check.py"] {
        let script = fs::read(Path::new("src").join(name))?;
        write(&format!("{name}.sha256"), &Sha256::digest(&script))?;
        scripts.extend(script);
    }
    write("scripts.bin", &scripts)?;
    Ok(())
}

fn by_frequency(texts: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut counts = BTreeMap::<_, usize>::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut texts: Vec<_> = counts.keys().copied().collect();
    texts.sort_by_key(|text| Reverse(counts.get(text)));
    texts
}

fn by_code_point(entry: impl Fn(char) -> Option<Entry>) -> Vec<Option<Entry>> {
    (0..=char::MAX.into()).map(|code_point| entry(char::from_u32(code_point)?)).collect()
}

/// What a `Table` has under a number.
#[derive(PartialEq)]
enum Entry {
    Text(String),
    Number(usize),
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Number(number) => [number >> 7, number & 0x7f]
                .map(|digit| digit as u8)
                .into_iter()
                .skip_while(|&digit| digit == 0)
                .collect(),
        };
        match bytes.last_mut() {
            Some(last) => *last |= END,
            None => bytes.push(EMPTY),
        }
        bytes
    }

    fn is_read_back(&self, table: Table<'_>, number: usize) -> bool {
        match self {
            Self::Text(text) => table.text(number).is_some_and(|read| read.eq(text.chars())),
            Self::Number(value) => table.number(number) == Some(*value),
        }
    }
}

/// What a `Table` borrows.
fn packed(mut entries: Vec<Option<Entry>>) -> Result<Vec<u8>, Box<dyn Error>> {
    let used = |entries: &[Option<_>]| entries.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    entries.truncate(used(&entries));
    let pages: Vec<Vec<u8>> = entries
        .chunks(PAGE)
        .map(|page| {
            page.iter().take(used(page)).flat_map(|one| one.as_ref().map_or(vec![ABSENT], Entry::bytes)).collect()
        })
        .collect();
    let mut offset = 4 * (pages.len() + 1);
    let mut packed = u32::try_from(offset)?.to_le_bytes().to_vec();
    for page in &pages {
        offset += page.len();
        packed.extend(u32::try_from(offset)?.to_le_bytes());
    }
    packed.extend(pages.concat());
    let table = Table::new(&packed);
    let read_back = |(number, entry): (usize, &Option<Entry>)| match entry {
        Some(entry) => entry.is_read_back(table, number),
        None => table.number(number).is_none(),
    };
    if !entries.iter().enumerate().all(read_back) {
        return Err("an entry differs when it is read from its table".into());
    }
    Ok(packed)
}
