//! How Docker reads words, by its reference ("Dockerfile reference: environment replacement, ENV, escape") and the
//! Bourne shell's quoting that it follows. Spaces separate words. Within single quotes everything is literal. Within
//! double quotes a backslash makes `"`, `$` and `\` literal, and is itself literal before anything else; outside of
//! quotes it makes whatever follows literal. A `$` that is not literal is an expansion: an error here.

/// Splits the arguments of ENV into names and values, and undoes the quoting.
pub(crate) fn pairs(arguments: &str) -> Result<Vec<(String, String)>, String> {
    let words = split(arguments);
    let pairs = words.iter().map(|raw| {
        let (name, value) = raw.split_once('=').ok_or_else(|| format!("{raw:?} is no pair"))?;
        Ok((word(name)?, word(value)?))
    });
    pairs.collect()
}

/// Undoes the quoting of one word; the arguments of COPY are quoted in the same way.
pub(crate) fn word(raw: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut quote = None;
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, Some('\'')) => plain.push(c),
            ('$', _) => return Err(format!("{raw:?} has an expansion")),
            ('\\', None) => plain.extend(rest.next()),
            ('\\', Some(_)) => match rest.next() {
                Some(escaped @ ('"' | '$' | '\\')) => plain.push(escaped),
                Some(other) => plain.extend(['\\', other]),
                None => return Err(format!("{raw:?} ends in a backslash")),
            },
            (c, _) => plain.push(c),
        }
    }
    if quote.is_some() { Err(format!("{raw:?} has an open quote")) } else { Ok(plain) }
}

/// Splits arguments into words, which keep their quotes.
fn split(arguments: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut open: Option<String> = None;
    let mut quote = None;
    let mut rest = arguments.chars();
    while let Some(c) = rest.next() {
        if quote.is_none() && matches!(c, ' ' | '\t') {
            words.extend(open.take());
            continue;
        }
        let current = open.get_or_insert_default();
        current.push(c);
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(opened)) if c == opened => quote = None,
            ('\\', None | Some('"')) => current.extend(rest.next()),
            _ => {}
        }
    }
    words.extend(open);
    words
}

/// The first two are the reference's own examples.
#[test]
fn examples_of_the_reference() {
    /// None if it is not a list of pairs.
    type Pairs = Option<&'static [(&'static str, &'static str)]>;
    let cases: [(&str, Pairs); 5] = [
        (
            r#"MY_NAME="John Doe" MY_DOG=Rex\ The\ Dog MY_CAT=fluffy"#,
            Some(&[("MY_NAME", "John Doe"), ("MY_DOG", "Rex The Dog"), ("MY_CAT", "fluffy")]),
        ),
        (r"FOO=\$foo", Some(&[("FOO", "$foo")])),
        (r#"A="a\"b\\\$\n" B='$x\'"#, Some(&[("A", r#"a"b\$\n"#), ("B", r"$x\")])),
        (r#"A="" B="x  y"#, None),
        (r#"A="$HOME""#, None),
    ];
    for (arguments, expected) in cases {
        let owned = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(pairs(arguments).ok(), expected.map(owned), "{arguments}");
    }
}
