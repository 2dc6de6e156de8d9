//! Secrets of a build: read when it begins, given to BuildKit when a step asks, and masked in everything that is shown.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Read},
};

use super::DockerError;
use crate::{
    capability::{BuildSecret, SecretSource},
    failure::of_system,
    progress::{MASK, url_users, without_passwords},
};

/// BuildKit takes no larger secret.
const LARGEST: usize = 500 * 1024;

/// In a secret of several lines, each line is masked by itself, unless it is shorter than this, such as a bracket.
const SHORTEST_LINE: usize = 6;

/// A shorter password in a larger secret would mask parts of ordinary words.
const SHORTEST_PASSWORD: usize = 4;

/// The values of a build's secrets. Its `Debug` shows none.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    values: BTreeMap<String, Vec<u8>>,
    /// The texts that must not be shown, the longest first, because one may contain another.
    masked: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Secrets {
    /// Reads all secrets, which must be `granted`; `variable` reads an environment variable.
    pub(super) fn read(
        secrets: &[BuildSecret],
        granted: impl Fn(&SecretSource) -> bool,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, DockerError> {
        let mut read = Self::default();
        for BuildSecret { id, source } in secrets {
            let missing =
                |place: String, reason: &str| DockerError::Secret { id: id.clone(), place, reason: reason.to_owned() };
            let place = match source {
                SecretSource::Env(name) => format!("the environment variable {name}"),
                SecretSource::File(path) => format!("the file {path:?}"),
            };
            if !granted(source) {
                return Err(missing(place, "is kept from builds by this host"));
            }
            let value = match source {
                SecretSource::Env(name) => match variable(name) {
                    Some(value) => value.into_encoded_bytes(),
                    None => return Err(missing(place, "is not set")),
                },
                SecretSource::File(path) => match read_file(path) {
                    Ok(value) => value,
                    Err(error) => return Err(missing(place, &format!("can't be read: {}", of_system(&error)))),
                },
            };
            if value.is_empty() {
                return Err(missing(place, "is empty"));
            }
            if value.len() > LARGEST {
                return Err(missing(place, "is larger than the 500 KiB that BuildKit takes"));
            }
            read.insert(id.clone(), value);
        }
        Ok(read)
    }

    fn insert(&mut self, id: String, value: Vec<u8>) {
        let text = String::from_utf8_lossy(&value).into_owned();
        self.masked.extend(text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
        self.masked.push(text.trim().to_owned());
        self.masked.extend(passwords(&text).filter(|password| password.len() >= SHORTEST_PASSWORD).map(str::to_owned));
        self.masked.retain(|text| !text.is_empty());
        self.masked.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.masked.dedup();
        self.values.insert(id, value);
    }

    pub(super) fn get(&self, id: &str) -> Option<&[u8]> {
        self.values.get(id).map(Vec::as_slice)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The text without any secret, and without the passwords of URLs, which a spec has in plain text.
    pub(super) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for secret in &self.masked {
            if masked.contains(secret) {
                masked = Cow::Owned(masked.replace(secret, MASK));
            }
        }
        match masked {
            Cow::Borrowed(text) => without_passwords(text),
            Cow::Owned(text) => Cow::Owned(without_passwords(&text).into_owned()),
        }
    }

    /// How many bytes at the end of a text that is cut anywhere may be the beginning of a secret.
    pub(super) fn held_back(&self) -> usize {
        // A secret of several lines is masked line by line.
        let longest = self.masked.iter().filter(|text| !text.contains('\n')).map(String::len).max();
        longest.unwrap_or_default().saturating_sub(1)
    }
}

/// Passwords inside of secrets: in the addresses of package indexes, or a netrc.
fn passwords(text: &str) -> impl Iterator<Item = &str> {
    let in_addresses = url_users(text).map(|(_, user)| user.split_once(':').map_or(user, |(_, password)| password));
    let words = text.split_whitespace();
    let in_netrc = words.clone().zip(words.skip(1)).filter(|(key, _)| *key == "password").map(|(_, value)| value);
    in_addresses.chain(in_netrc)
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    let mut value = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        for (id, value) in values {
            secrets.insert((*id).to_owned(), value.as_bytes().to_vec());
        }
        secrets
    }

    #[test]
    fn values_come_from_variables_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "from a file\n").unwrap();
        let variable = |name: &str| (name == "TOKEN").then(|| OsString::from("from a variable"));
        let secret = |source| BuildSecret { id: "a".to_owned(), source };
        let read = |source| {
            Secrets::read(&[secret(source)], |_| true, variable).map(|secrets| secrets.get("a").unwrap().to_vec())
        };
        assert_eq!(read(SecretSource::Env("TOKEN".to_owned())).unwrap(), b"from a variable");
        assert_eq!(read(SecretSource::File(file.display().to_string())).unwrap(), b"from a file\n");
        std::fs::write(&file, "").unwrap();
        let empty = read(SecretSource::File(file.display().to_string())).unwrap_err().to_string();
        assert!(empty.contains("the secret \"a\"") && empty.ends_with(" is empty"), "{empty}");
        std::fs::write(&file, vec![b'x'; LARGEST + 1]).unwrap();
        assert!(read(SecretSource::File(file.display().to_string())).unwrap_err().to_string().contains("500 KiB"));
        let unset = read(SecretSource::Env("OTHER".to_owned())).unwrap_err();
        assert_eq!(unset.to_string(), "the secret \"a\" has no value: the environment variable OTHER is not set");
        let kept = Secrets::read(&[secret(SecretSource::Env("TOKEN".to_owned()))], |_| false, variable).unwrap_err();
        assert!(kept.to_string().ends_with("is kept from builds by this host"), "{kept}");
        let missing = read(SecretSource::File("/missing/file".to_owned())).unwrap_err().to_string();
        assert!(missing.contains("the file \"/missing/file\""), "{missing}");
    }

    #[test]
    fn secrets_are_not_told() {
        let secrets = of(&[
            ("a", "hunter2\n"),
            ("b", "hunter2-and-more"),
            ("c", "{\n  \"key\": \"value\"\n}\n"),
            ("index", "https://me:s3cret@index.example/simple"),
            ("netrc", "machine a.example\nlogin me password pa55word\n"),
        ]);
        for (told, masked) in [
            ("password hunter2, again hunter2.", "password ***, again ***."),
            ("hunter2-and-more", "***"),
            ("\"key\": \"value\"", "***"),
            ("{ }", "{ }"),
            ("GET https://me:s3cret@index.example/simple/six", "GET ***/six"),
            ("as me with s3cret or pa55word", "as me with *** or ***"),
            ("login and password", "login and password"),
        ] {
            assert_eq!(secrets.mask(told), masked);
        }
        assert_eq!(secrets.held_back(), "https://me:s3cret@index.example/simple".len() - 1);
        assert_eq!(secrets.mask("http://you:other@index.example/"), "http://you:***@index.example/");
        assert_eq!(format!("{secrets:?}"), r#"{"a", "b", "c", "index", "netrc"}"#);
    }
}
