//! Literals that look like secrets. Anyone who has the spec, a preview of it or the image can read them.
//!
//! Invariant: no diagnostic repeats a secret that is found here.

/// The endings of names whose values are secrets.
const NAMES: [&str; 8] =
    ["TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"];

/// How the tokens of well-known issuers begin.
const TOKENS: [&str; 14] = [
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "pypi-",
    "npm_",
    "dckr_pat_",
];

/// Whether a variable holds a secret, by its name or by its value. The name does not count if the value is a switch or
/// a path, such as the path of a file that has the secret.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let harmless = matches!(value, "" | "0" | "1" | "true" | "false") || value.starts_with('/');
    (!harmless && NAMES.iter().any(|end| name.ends_with(end))) || secret_in(value).is_some()
}

/// The secret in a text: a private key, a token of a known kind, or the password of a URL.
pub(crate) fn secret_in(text: &str) -> Option<&str> {
    if text.contains("PRIVATE KEY-----") {
        return Some(text);
    }
    let mut urls = text.split("://").skip(1);
    TOKENS.iter().find_map(|start| token(text, start)).or_else(|| urls.find_map(password))
}

/// The secret in a reference, which may be a URL without its scheme.
pub(crate) fn secret_in_reference(text: &str) -> Option<&str> {
    secret_in(text).or_else(|| password(text))
}

/// The rest of the text from `start` on, if a token begins there.
fn token<'t>(text: &'t str, start: &str) -> Option<&'t str> {
    let at = text.find(start)?;
    let (before, rest) = (&text.as_bytes()[..at], &text.as_bytes()[at + start.len()..]);
    let alone = !before.last().is_some_and(u8::is_ascii_alphanumeric);
    (alone && rest.len() >= 16 && rest[..10].iter().all(u8::is_ascii_alphanumeric)).then(|| &text[at..])
}

/// The password of `user:password@host/…`. `name:tag@sha256:…` has none, and a password that begins with `$` is a
/// placeholder.
fn password(url: &str) -> Option<&str> {
    let (user, host) = url.split(|c: char| c == '/' || c.is_whitespace()).next()?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    let is_digest = ["sha256:", "sha384:", "sha512:"].iter().any(|algorithm| host.starts_with(algorithm));
    (!password.is_empty() && !password.starts_with('$') && !is_digest).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for end in ["TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"] {
            for name in [end.to_owned(), format!("MY_{end}"), end.to_lowercase()] {
                assert!(is_secret(&name, "s3cret"), "{name}");
            }
            assert!(!is_secret(&format!("{end}_FILE"), "s3cret"), "{end}");
        }
        for harmless in ["", "0", "1", "true", "false", "/run/secrets/token"] {
            assert!(!is_secret("A_TOKEN", harmless), "{harmless}");
        }
    }

    #[test]
    fn tokens() {
        let starts = "AKIA ASIA ghp_ gho_ ghs_ ghu_ github_pat_ glpat- xoxb- xoxp- sk_live_ pypi- npm_ dckr_pat_";
        for start in starts.split(' ') {
            let token = format!("{start}0123456789abcdef");
            for before in ["", "a ", "a="] {
                assert_eq!(secret_in(&format!("{before}{token}")), Some(token.as_str()));
            }
            for harmless in [format!("x{token}"), format!("{start}0123456789abcde"), format!("{start}012345678-abcdef")]
            {
                assert_eq!(secret_in(&harmless), None, "{harmless}");
            }
        }
    }

    #[test]
    fn passwords_of_references() {
        for (reference, password) in [
            ("https://me:s3:cr@et@gcr.io/p", Some("s3:cr@et")),
            ("me:s3cret@gcr.io/p", Some("s3cret")),
            ("https://a.b/c https://me:s3cret@c.d/e", Some("s3cret")),
            ("http://me:@host", None),
            ("http://me@host", None),
            ("http://me:$PASSWORD@host", None),
            ("http://host:1/a:b@c", None),
            ("python:3.9@sha256:0123", None),
            ("python:3.9@sha384:0123", None),
            ("python:3.9@sha512:0123", None),
        ] {
            assert_eq!(secret_in_reference(reference), password, "{reference}");
        }
    }
}
