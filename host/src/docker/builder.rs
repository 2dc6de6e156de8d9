//! Which builder is used.

use super::Daemon;
use crate::capability::ImageBuilder;

/// The variable with which people choose a builder for the docker command line, 0 or 1.
const VARIABLE: &str = "DOCKER_BUILDKIT";

impl Daemon {
    /// The builder that `DOCKER_BUILDKIT` names, else the one that the daemon prefers.
    pub(super) fn builder(&self) -> ImageBuilder {
        std::env::var(VARIABLE).ok().as_deref().and_then(chosen).unwrap_or(self.preferred_builder)
    }
}

/// Go's spellings of true and false. Any other value is ignored.
fn chosen(value: &str) -> Option<ImageBuilder> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(ImageBuilder::Buildkit),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(ImageBuilder::Classic),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_choose_with_a_truth_value() {
        assert_eq!(
            ["0", "1", "", "yes"].map(chosen),
            [Some(ImageBuilder::Classic), Some(ImageBuilder::Buildkit), None, None]
        );
    }
}
