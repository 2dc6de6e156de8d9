//! Takes out of other people's texts what must not be shown.

use std::borrow::Cow;

/// The text in place of a secret.
pub(crate) const MASK: &str = "***";

/// The text without anything that a terminal would obey: escape sequences, control characters,
/// and the characters that reverse the direction of writing. A tab becomes a space.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() || is_bidirectional(c);
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                Some('[') => skip_control_sequence(&mut rest),
                // Operating system commands and their like run up to BEL or ESC \.
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut rest),
                // Character set choices are three characters long.
                Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
                    rest.next();
                }
                _ => {}
            },
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\t' => kept.push(' '),
            c if obeyed(c) => {}
            c => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_control_sequence(rest: &mut Rest<'_>) {
    // Parameters and intermediates are 0x20-0x3f; one final byte ends it. A sequence that was cut
    // short must not swallow what follows.
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

fn skip_string(rest: &mut Rest<'_>) {
    while let Some(c) = rest.next() {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text without the passwords in its URLs.
#[must_use]
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    let (mut told, mut done) = (String::new(), 0);
    for (start, user) in url_users(text) {
        // A user name without a password is a token if the URL is that of a web server.
        let is_web = ["http://", "https://"].iter().any(|scheme| text[..start].ends_with(scheme));
        let named = match user.find(':') {
            Some(colon) => colon + 1,
            None if is_web => 0,
            None => continue,
        };
        told.extend([&text[done..start + named], MASK]);
        done = start + user.len();
    }
    if told.is_empty() {
        return Cow::Borrowed(text);
    }
    told.push_str(&text[done..]);
    Cow::Owned(told)
}

/// For each URL in the text, the part between `://` and `@` (`name` or `name:password`), and where it begins.
pub(crate) fn url_users(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = text.match_indices("://").map(|(at, sign)| at + sign.len());
    starts.filter_map(|start| {
        let after = &text[start..];
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"".contains(c)).unwrap_or(after.len());
        let (user, _) = after[..end].rsplit_once('@')?;
        Some((start, user))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for (given, kept) in [
            ("plain text, ünïcödé 🦀", "plain text, ünïcödé 🦀"),
            ("\u{1b}[91mred\u{1b}[0m", "red"),
            ("a\u{1b}[2J\u{1b}[1;1Hb", "ab"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("\u{1b}Pq#0\u{1b}\\after", "after"),
            ("\u{9b}31mred", "red"),
            ("\u{9d}0;title\u{9c}text", "text"),
            ("\u{1b}(Bascii", "ascii"),
            ("bell\u{7} back\u{8} nul\0 del\u{7f}", "bell back nul del"),
            ("a\tb\rc\nd", "a bcd"),
            ("\u{1b}[31", ""),
            ("\u{1b}[31é", "é"),
            ("\u{1b}", ""),
            ("evil\u{202e}gnp.exe", "evilgnp.exe"),
        ] {
            assert_eq!(clean(given), kept, "{given:?}");
        }
    }

    #[test]
    fn urls_are_told_without_their_passwords() {
        for (text, told) in [
            (
                "http://me:pw@host:1/a and https://you:p@w:w@host?x=me:pw@b",
                "http://me:***@host:1/a and https://you:***@host?x=me:pw@b",
            ),
            ("ENV INDEX=\"http://me:pw@host\" B=\"c@d\"", "ENV INDEX=\"http://me:***@host\" B=\"c@d\""),
            (
                "six @ http://host/six.tar.gz, git+ssh://git@host:22/a",
                "six @ http://host/six.tar.gz, git+ssh://git@host:22/a",
            ),
            ("http://me:@host tcp://[::1]:9 :// @", "http://me:***@host tcp://[::1]:9 :// @"),
            ("PIP_INDEX_URL=https://t0ken@host/simple", "PIP_INDEX_URL=https://***@host/simple"),
            ("unix:///a:b@c ü://é:ü@ö", "unix:///a:b@c ü://é:***@ö"),
        ] {
            assert_eq!(without_passwords(text), told);
        }
    }
}
