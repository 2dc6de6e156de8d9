//! Any text as an image reference and its parts: a text that is taken is legal, and survives a round trip.

use flowhold_core::{
    failure::Explain as _,
    image::{ImageName, ImageReference, ImageTag, RegistryUrl},
};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let legal = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@+[]".contains(&b));
    match text.parse::<ImageReference>() {
        Ok(reference) => {
            assert_eq!(reference.to_string().parse::<ImageReference>().as_ref(), Ok(&reference));
            assert!(legal(reference.as_str()), "{reference}");
            assert!(!reference.path().is_empty() && reference.path().len() <= 255, "{reference}");
            assert!(!reference.path().bytes().any(|b| b.is_ascii_uppercase()), "{reference}");
            assert!(reference.tag().is_none_or(|tag| (1..=128).contains(&tag.len())), "{reference}");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.help().unwrap_or_default().contains('\n'), "{error:?}")
        }
    }
    if let Ok(registry) = text.parse::<RegistryUrl>() {
        assert_eq!(registry.to_string().parse::<RegistryUrl>(), Ok(registry.clone()));
        assert!(legal(&registry.to_string()), "{registry}");
    }
    if let Ok(name) = text.parse::<ImageName>() {
        assert_eq!(name.to_string().parse::<ImageName>(), Ok(name));
    }
    if let Ok(tag) = text.parse::<ImageTag>() {
        assert_eq!(tag.to_string().parse::<ImageTag>(), Ok(tag));
    }
}
