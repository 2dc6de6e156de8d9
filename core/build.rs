//! Writes the tables that slugs are made with: `src/slug/transliteration.rs` and `src/slug/compatibility.rs` read them.

#![expect(clippy::disallowed_methods, reason = "it runs while the core is built and is no part of it")]

use std::{cmp::Reverse, collections::BTreeMap, env, error::Error, fs, path::Path};
use table::{ABSENT, EMPTY, END, PAGE, Table};

#[path = "src/slug/reference.rs"]
mod reference;
#[path = "src/slug/table.rs"]
mod table;

fn main() -> Result<(), Box<dyn Error>> {
    for watched in ["build.rs", "src/slug/reference.rs", "src/slug/table.rs"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let reading = |c| is_ideograph(c).then(|| reference::transliteration(c)).flatten();
    let letters = |c| is_in_letters(c).then(|| reference::transliteration(c)).flatten();
    let decomposition = |c: char| Some(reference::compatibility(c)).filter(|text| !c.is_ascii() && text != " ");

    let readings = by_frequency(('\0'..=char::MAX).filter_map(reading));
    // A table holds no zero, hence the readings count from 1.
    let numbers: BTreeMap<&str, usize> = readings.iter().copied().zip(1..).collect();
    let readings = [None].into_iter().chain(readings.into_iter().map(Some));

    let out = env::var("OUT_DIR")?;
    let write = |name: &str, table: String| fs::write(Path::new(&out).join(name), table);
    write("ideographs.rs", number_table(by_code_point(|c| numbers.get(reading(c)?).copied()))?)?;
    write("readings.rs", text_table(readings.map(|text| text.map(str::to_owned)).collect())?)?;
    write("letters.rs", text_table(by_code_point(|c| letters(c).map(str::to_owned)))?)?;
    write("decompositions.rs", text_table(by_code_point(decomposition))?)?;
    Ok(())
}

/// Blocks of characters that share their readings.
fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Neither ASCII nor an ideograph nor a Hangul syllable, and within what text-unidecode has rows for.
fn is_in_letters(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{abff}' | '\u{d7a4}'..='\u{ffff}') && !is_ideograph(character)
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

fn by_code_point<T>(entry: impl Fn(char) -> Option<T>) -> Vec<Option<T>> {
    (0..=u32::from(char::MAX)).map(|code_point| entry(char::from_u32(code_point)?)).collect()
}

fn text_table(texts: Vec<Option<String>>) -> Result<String, Box<dyn Error>> {
    let entries = texts.iter().map(|text| text.as_ref().map(|text| ended(text.clone().into_bytes()))).collect();
    let packed = Packed::new(entries)?;
    let read_back = |number| packed.table().text(number).map(String::from_iter);
    if (0..).map(read_back).zip(&texts).any(|(read, text)| read != *text) {
        return Err("a text differs when it is read from its table".into());
    }
    Ok(packed.source())
}

fn number_table(numbers: Vec<Option<usize>>) -> Result<String, Box<dyn Error>> {
    let digits = |number: usize| [number >> 7, number & 0x7f].map(|digit| digit as u8);
    let entries = numbers.iter().map(|number| {
        let digits = digits((*number)?);
        Some(ended(digits.into_iter().skip_while(|&digit| digit == 0).collect()))
    });
    let packed = Packed::new(entries.collect())?;
    if (0..).map(|number| packed.table().number(number)).zip(&numbers).any(|(read, number)| read != *number) {
        return Err("a number differs when it is read from its table".into());
    }
    Ok(packed.source())
}

/// `entry` as `Table` reads it.
fn ended(mut entry: Vec<u8>) -> Vec<u8> {
    match entry.last_mut() {
        Some(last) => *last |= END,
        None => entry.push(EMPTY),
    }
    entry
}

/// What a `Table` borrows.
struct Packed {
    starts: Vec<u16>,
    entries: Vec<u8>,
}

impl Packed {
    fn new(mut entries: Vec<Option<Vec<u8>>>) -> Result<Self, Box<dyn Error>> {
        let used = |entries: &[Option<_>]| entries.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        entries.truncate(used(&entries));
        let mut packed = Self { starts: vec![0], entries: Vec::new() };
        for page in entries.chunks(PAGE) {
            for entry in page.iter().take(used(page)) {
                packed.entries.extend_from_slice(entry.as_deref().unwrap_or(&[ABSENT]));
            }
            packed.starts.push(packed.entries.len().try_into()?);
        }
        Ok(packed)
    }

    fn table(&self) -> Table<'_> {
        Table::new(&self.starts, &self.entries)
    }

    /// The table as a Rust expression.
    fn source(&self) -> String {
        format!("Table::new(&{:?}, b\"{}\")", self.starts, self.entries.escape_ascii())
    }
}
