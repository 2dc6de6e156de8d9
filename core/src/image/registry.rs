//! The rules of known registries for the names of images, beyond the grammar.

use super::reference::split_port;
use super::{ImageName, ImageReference, ImageTag, ReferenceError, RegistryUrl};
use crate::{diagnostic::Code, failure::Explain, text::Excerpt};

/// The whole name of an image, `registry/name:tag`; `name:tag` without a registry, for an image that isn't pushed.
///
/// # Errors
/// If the registry doesn't take a path of that depth, if the whole name is too long, or if there is no registry but the
/// name looks as if it began with one.
///
/// ```
/// # use flowhold_core::image::{RegistryUrl, ImageName, ImageTag, join};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (registry, name, tag) = ("gcr.io/my-project".parse::<RegistryUrl>()?, "etl".parse()?, "v1".parse()?);
/// assert_eq!(join(Some(&registry), &name, &tag)?.to_string(), "gcr.io/my-project/etl:v1");
/// # Ok(())
/// # }
/// ```
pub fn join(registry: Option<&RegistryUrl>, name: &ImageName, tag: &ImageTag) -> Result<ImageReference, JoinError> {
    let Some(registry) = registry else {
        let reference: ImageReference = format!("{name}:{tag}").parse()?;
        return match reference.registry() {
            Some(domain) => Err(JoinError::RegistryInName { name: name.to_string(), domain: domain.to_owned() }),
            None => Ok(reference),
        };
    };
    let reference: ImageReference = format!("{registry}/{name}:{tag}").parse()?;
    let depth = reference.path().split('/').count();
    match rule(registry.domain()) {
        Some(rule) if !rule.takes(depth) => Err(JoinError::Depth {
            repository: reference.repository().to_owned(),
            registry: rule.registry,
            form: rule.form(),
            help: rule.help(registry, name),
        }),
        _ => Ok(reference),
    }
}

/// The error for an image to be pulled whose path has more components than its registry takes. Fewer components are no
/// error: a registry's own images (`python`) may have fewer.
pub(crate) fn too_deep(reference: &ImageReference) -> Option<JoinError> {
    let rule = rule(reference.registry())?;
    (!rule.deeper && reference.path().split('/').count() > rule.levels.len() + 1).then(|| JoinError::Depth {
        repository: reference.repository().to_owned(),
        registry: rule.registry,
        form: rule.form(),
        help: format!("write its registry in front: \"registry.example.com/{}\"", reference.path()),
    })
}

/// Why a registry, a name and a tag can't be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The registry takes fewer or more components.
    #[error("image {} does not fit {registry}, which takes {form}", Excerpt(repository))]
    Depth {
        /// The registry and the name, joined.
        repository: String,
        /// The name of the registry.
        registry: &'static str,
        /// The form that it takes.
        form: String,
        /// What to write instead: a registry and a name that fit, with placeholders.
        help: String,
    },
    /// No registry is given, but the name's first component looks like one.
    #[error("image name {} starts with the registry {}, but no registry_url is given", Excerpt(name), Excerpt(domain))]
    RegistryInName {
        /// The name.
        name: String,
        /// Its first component.
        domain: String,
    },
    /// The joined name is outside the grammar: it is too long.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl Explain for JoinError {
    fn code(&self) -> Code {
        match self {
            Self::Reference(error) => error.code(),
            Self::Depth { .. } | Self::RegistryInName { .. } => Code::RegistryRule,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Depth { help, .. } => help,
            Self::RegistryInName { name, domain } => {
                let rest = name.get(domain.len()..).unwrap_or_default().trim_start_matches('/');
                return Some(format!("write {domain:?} as registry_url and {rest:?} as image_name"));
            }
            Self::Reference(error) => return error.help(),
        };
        Some(help.to_owned())
    }
}

/// The paths that a registry takes after its domain.
struct Rule {
    registry: &'static str,
    hosts: &'static [Host],
    /// The names of the levels above an image's name.
    levels: &'static [&'static str],
    /// Whether more levels may follow these.
    deeper: bool,
}

/// The hosts to which a rule applies, compared in lower case and without port.
enum Host {
    Is(&'static str),
    EndsWith(&'static str),
}

const DOCKER_HUB: &str = "Docker Hub";

/// Registries that are not in this list take any path. By their manuals, that is right for two well-known ones:
/// Amazon's private registries (`ID.dkr.ecr.REGION.amazonaws.com`, "ECR: private repositories") and Azure's
/// (`NAME.azurecr.io`, "About registries, repositories, and artifacts").
const RULES: [Rule; 7] = [
    // Docker's manual, "Repositories": a namespace in front of the name and no further level. Only the official images,
    // which Docker itself pushes, have names without a namespace.
    Rule {
        registry: DOCKER_HUB,
        hosts: &[
            Host::Is("docker.io"),
            Host::Is("index.docker.io"),
            Host::Is("registry-1.docker.io"),
            Host::Is("registry.hub.docker.com"),
        ],
        levels: &["namespace"],
        deeper: false,
    },
    // Google's manual, "Container Registry: pushing and pulling images": HOSTNAME/PROJECT-ID/IMAGE, and folders.
    Rule {
        registry: "Google Container Registry",
        hosts: &[Host::Is("gcr.io"), Host::EndsWith(".gcr.io")],
        levels: &["project"],
        deeper: true,
    },
    // Google's manual, "Artifact Registry: names of images": LOCATION-docker.pkg.dev/PROJECT-ID/REPOSITORY/IMAGE.
    Rule {
        registry: "Google Artifact Registry",
        hosts: &[Host::EndsWith("-docker.pkg.dev")],
        levels: &["project", "repository"],
        deeper: true,
    },
    // GitHub's manual, "Working with the Container registry": ghcr.io/NAMESPACE/IMAGE_NAME.
    Rule { registry: "GitHub Container Registry", hosts: &[Host::Is("ghcr.io")], levels: &["owner"], deeper: true },
    // GitLab's manual, "Container registry: naming convention": namespace/project, then up to two more names. There is
    // no upper limit here, since the path does not tell how many groups make up the namespace.
    Rule {
        registry: "GitLab Container Registry",
        hosts: &[Host::Is("registry.gitlab.com")],
        levels: &["namespace"],
        deeper: true,
    },
    // Quay's manual, "Pushing an image" and "Repository names with nested paths": quay.io/NAMESPACE/REPOSITORY.
    Rule { registry: "Quay", hosts: &[Host::Is("quay.io")], levels: &["namespace"], deeper: true },
    // Amazon's manual, "ECR Public: pushing an image": public.ecr.aws/REGISTRY-ALIAS/REPOSITORY.
    Rule { registry: "Amazon ECR Public", hosts: &[Host::Is("public.ecr.aws")], levels: &["alias"], deeper: true },
];

/// Whether a registry is Docker Hub, by any of its names.
pub(crate) fn is_docker_hub(domain: Option<&str>) -> bool {
    rule(domain).is_some_and(|rule| rule.registry == DOCKER_HUB)
}

/// The rule for a domain; no domain means Docker Hub.
fn rule(domain: Option<&str>) -> Option<&'static Rule> {
    let domain = domain.unwrap_or("docker.io").to_ascii_lowercase();
    let (host, _) = split_port(&domain);
    RULES.iter().find(|rule| {
        rule.hosts.iter().any(|known| match known {
            Host::Is(whole) => host == *whole,
            Host::EndsWith(end) => host.ends_with(end),
        })
    })
}

impl Rule {
    fn takes(&self, depth: usize) -> bool {
        depth == self.levels.len() + 1 || (self.deeper && depth > self.levels.len())
    }

    fn form(&self) -> String {
        let deeper = if self.deeper { " or deeper" } else { "" };
        format!("{}/name{deeper}", self.levels.join("/"))
    }

    /// Suggests placeholders for missing levels, or joins surplus levels into one name.
    fn help(&self, registry: &RegistryUrl, name: &ImageName) -> String {
        let levels: Vec<&str> = registry.components().collect();
        let names: Vec<&str> = name.components().collect();
        let domain = registry.domain().map(|domain| format!("{domain}/")).unwrap_or_default();
        let wanted = (self.levels.len() + 1).saturating_sub(names.len());
        if levels.len() < wanted {
            let missing = self.levels.iter().take(wanted).skip(levels.len()).map(|level| format!("<{level}>"));
            let filled: Vec<String> = levels.iter().map(|level| (*level).to_owned()).chain(missing).collect();
            return format!("write your own in registry_url: \"{domain}{}\"", filled.join("/"));
        }
        let path: Vec<&str> = levels.into_iter().chain(names).collect();
        let (levels, names) = path.split_at(self.levels.len().min(path.len()));
        let levels = levels.join("/");
        format!("write \"{domain}{levels}\" as registry_url and {:?} as image_name", names.join("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::{JoinError, join};
    use crate::failure::Explain as _;
    use crate::image::{ImageName, ImageReference, ImageTag, ReferenceError, RegistryUrl};

    fn joined(registry: &str, name: &str) -> Result<Result<ImageReference, JoinError>, ReferenceError> {
        let url: Option<RegistryUrl> = if registry.is_empty() { None } else { Some(registry.parse()?) };
        let name: ImageName = name.parse()?;
        let tag: ImageTag = "v1".parse()?;
        Ok(join(url.as_ref(), &name, &tag))
    }

    #[test]
    fn what_registries_take() -> Result<(), ReferenceError> {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("", "etl"),
            ("", "acme/etl"),
            ("", "acme/team/etl"),
            ("acme", "etl"),
            ("docker.io/acme", "etl"),
            ("docker.io", "acme/etl"),
            ("index.docker.io/acme", "etl"),
            ("gcr.io/my-project", "etl"),
            ("gcr.io/my-project/sub", "dir/etl"),
            ("eu.gcr.io", "my-project/etl"),
            ("europe-west1-docker.pkg.dev/p/repo", "etl"),
            ("us-docker.pkg.dev/p/repo/sub", "etl"),
            ("ghcr.io/acme", "etl"),
            ("ghcr.io/acme/repo", "etl"),
            ("registry.gitlab.com/group/sub/project", "etl"),
            ("quay.io/acme", "team/etl"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "etl"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b", "c/etl"),
            ("public.ecr.aws/alias", "etl"),
            ("acme.azurecr.io", "etl"),
            ("acme.azurecr.io/a/b/c", "etl"),
            ("localhost:5000", "etl"),
            ("registry.example.com/a/b", "c/etl"),
            ("notgcr.io", "etl"),
        ];
        for (registry, name) in cases {
            let expected = if registry.is_empty() { format!("{name}:v1") } else { format!("{registry}/{name}:v1") };
            let found = joined(registry, name)?.map(|reference| reference.to_string());
            assert_eq!(found, Ok(expected));
        }
        Ok(())
    }

    #[test]
    fn what_registries_refuse() -> Result<(), ReferenceError> {
        #[rustfmt::skip] // one case, one line
        let cases = [
            ("docker.io", "etl", "image \"docker.io/etl\" does not fit Docker Hub, which takes namespace/name", "write your own in registry_url: \"docker.io/<namespace>\""),
            ("DOCKER.IO:443", "etl", "image \"DOCKER.IO:443/etl\" does not fit Docker Hub, which takes namespace/name", "write your own in registry_url: \"DOCKER.IO:443/<namespace>\""),
            ("acme", "team/etl", "image \"acme/team/etl\" does not fit Docker Hub, which takes namespace/name", "write \"acme\" as registry_url and \"team-etl\" as image_name"),
            ("docker.io/acme/team", "etl", "image \"docker.io/acme/team/etl\" does not fit Docker Hub, which takes namespace/name", "write \"docker.io/acme\" as registry_url and \"team-etl\" as image_name"),
            ("gcr.io", "etl", "image \"gcr.io/etl\" does not fit Google Container Registry, which takes project/name or deeper", "write your own in registry_url: \"gcr.io/<project>\""),
            ("us-docker.pkg.dev", "etl", "image \"us-docker.pkg.dev/etl\" does not fit Google Artifact Registry, which takes project/repository/name or deeper", "write your own in registry_url: \"us-docker.pkg.dev/<project>/<repository>\""),
            ("us-docker.pkg.dev/p", "etl", "image \"us-docker.pkg.dev/p/etl\" does not fit Google Artifact Registry, which takes project/repository/name or deeper", "write your own in registry_url: \"us-docker.pkg.dev/p/<repository>\""),
            ("us-docker.pkg.dev", "r/etl", "image \"us-docker.pkg.dev/r/etl\" does not fit Google Artifact Registry, which takes project/repository/name or deeper", "write your own in registry_url: \"us-docker.pkg.dev/<project>\""),
            ("ghcr.io", "etl", "image \"ghcr.io/etl\" does not fit GitHub Container Registry, which takes owner/name or deeper", "write your own in registry_url: \"ghcr.io/<owner>\""),
            ("registry.gitlab.com", "etl", "image \"registry.gitlab.com/etl\" does not fit GitLab Container Registry, which takes namespace/name or deeper", "write your own in registry_url: \"registry.gitlab.com/<namespace>\""),
            ("quay.io", "etl", "image \"quay.io/etl\" does not fit Quay, which takes namespace/name or deeper", "write your own in registry_url: \"quay.io/<namespace>\""),
            ("public.ecr.aws", "etl", "image \"public.ecr.aws/etl\" does not fit Amazon ECR Public, which takes alias/name or deeper", "write your own in registry_url: \"public.ecr.aws/<alias>\""),
            ("", "gcr.io/p/etl", "image name \"gcr.io/p/etl\" starts with the registry \"gcr.io\", but no registry_url is given", "write \"gcr.io\" as registry_url and \"p/etl\" as image_name"),
        ];
        for (registry, name, message, help) in cases {
            let found = joined(registry, name)?.err().map(|e| (e.to_string(), e.help().unwrap_or_default()));
            assert_eq!(found, Some((message.to_owned(), help.to_owned())), "{registry} {name}");
        }
        Ok(())
    }

    #[test]
    fn two_good_parts_can_be_too_long_together() -> Result<(), ReferenceError> {
        let error = joined(&format!("a.b/{}", "x".repeat(150)), &"y".repeat(150))?.err();
        assert!(matches!(error, Some(JoinError::Reference(ReferenceError::TooLong { bytes: 305, most: 255, .. }))));
        Ok(())
    }
}
