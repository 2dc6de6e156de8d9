//! Findings about a spec, and the list of all codes that the core gives them.

use std::fmt;

use crate::{
    failure::Explain,
    json::{Json, Object},
};

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Stops a build.
    Error,
    /// Probably not what the user wants.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The severity as programs see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One finding about a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of finding.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// The field of the spec, such as `storage.python_dependencies[0]`; empty for the spec as a whole.
    pub field: String,
    /// What is wrong, including the offending value.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Line of the spec text, counted from 1, if the finding is about something in the text.
    pub line: Option<u32>,
    /// The policy that made the finding, and its code; `None` for a finding of the core.
    pub policy: Option<PolicyCode>,
}

/// A policy, and the policy's own code for its finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyCode {
    /// The policy, as the spec or the user names it.
    pub policy: String,
    /// The code, in kebab-case.
    pub code: String,
}

impl Diagnostic {
    /// A finding with the severity that its code has.
    pub fn new(code: Code, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(code, field.into(), message.into())
    }

    /// `new` without its type parameters, so that it is compiled once.
    #[inline(never)]
    fn of(code: Code, field: String, message: String) -> Self {
        let help = code.help().map(str::to_owned);
        Self { code, severity: code.severity(), field, message, help, line: None, policy: None }
    }

    /// A parser's error about a field, as a finding.
    pub fn explained(error: &dyn Explain, field: &str) -> Self {
        Self::of(error.code(), field.to_owned(), error.to_string()).with_help(error.help().as_deref())
    }

    /// Replaces the help of the finding's code by more specific help, if there is any.
    #[must_use]
    pub fn with_help<'h>(self, help: impl Into<Option<&'h str>>) -> Self {
        self.helped(help.into())
    }

    /// `with_help` without its type parameter.
    #[inline(never)]
    fn helped(mut self, help: Option<&str>) -> Self {
        self.help = help.map(str::to_owned).or(self.help);
        self
    }

    /// The code as programs see it: the core's, or the policy's.
    pub fn code(&self) -> &str {
        self.policy.as_ref().map_or(self.code.as_str(), |policy| &policy.code)
    }

    /// Whether the finding stops a build.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $severity:ident $variant:ident = $text:literal,)+) => {
        /// Every kind of finding and failure that the core reports. The texts are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as programs see it, in kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// How much a finding of this kind matters.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),+ }
            }
        }
    };
}

codes! {
    /// The text is neither TOML nor JSON.
    Error Syntax = "syntax",
    /// A serialized storage or a preview where a spec should be.
    Error NotASpec = "not-a-spec",
    /// A key that no spec has.
    Error UnknownKey = "unknown-key",
    /// A key that appears twice (JSON; in TOML it is a syntax error).
    Error DuplicateKey = "duplicate-key",
    /// A value of another type than the field has.
    Error WrongType = "wrong-type",
    /// A required field that is missing.
    Error MissingKey = "missing-key",
    /// A value that its field does not allow.
    Error InvalidValue = "invalid-value",
    /// A field of another storage type.
    Error OtherStorage = "other-storage",
    /// A text that is not a flow name.
    Error FlowName = "flow-name",
    /// A flow name in a rarer script whose readings are missing.
    Error NoReadings = "no-readings",
    /// Two flows with one name.
    Error DuplicateFlow = "duplicate-flow",
    /// Two flows whose names have the same slug, and so the same file.
    Error SlugClash = "slug-clash",
    /// A spec without flows.
    Warning NoFlows = "no-flows",
    /// A text that is not an image reference, or not a part of one.
    Error InvalidReference = "invalid-reference",
    /// A reference that its registry does not take.
    Error RegistryRule = "registry-rule",
    /// A base image whose content may change under the same name.
    Info FloatingBase = "floating-base-image",
    /// The base image names another Python than the one that pickled the flows.
    Warning PythonMismatch = "python-mismatch",
    /// A pickle that an unknown Python made.
    Warning PythonUnknown = "python-unknown",
    /// A text that is not a PEP 508 requirement.
    Error InvalidRequirement = "invalid-requirement",
    /// Two requirements for one package.
    Warning RepeatedRequirement = "repeated-requirement",
    /// A text that is neither a release of Prefect nor a git reference.
    Error InvalidPrefectVersion = "invalid-prefect-version",
    /// A text that can't be the name or value of an environment variable.
    Error InvalidVariable = "invalid-variable",
    /// A variable whose value names the variable itself, as shells expand it.
    Warning UnexpandedVariable = "unexpanded-variable",
    /// A build argument that no step of the build reads.
    Warning UnusedBuildArg = "unused-build-arg",
    /// A secret that no step uses.
    Info UnreadSecret = "unread-secret",
    /// A text that looks like a secret, in a place that everybody can read.
    Warning LiteralSecret = "literal-secret",
    /// Sources in `files` that are not absolute paths.
    Error RelativeFile = "relative-file",
    /// A destination that can't be a path in the image.
    Error InvalidPath = "invalid-path",
    /// Two fields that would write the same path in the image.
    Error PathClash = "path-clash",
    /// More layers than an image can have.
    Error TooManyLayers = "too-many-layers",
    /// A line of the Dockerfile that is longer than Docker takes.
    Error LineTooLong = "line-too-long",
    /// `naming = "flow"` in a spec without exactly one flow.
    Error NamingNeedsOneFlow = "naming-needs-one-flow",
    /// `push` without a registry to push to.
    Warning PushWithoutRegistry = "push-without-registry",
    /// The plan is not the one that was expected.
    Error PlanMismatch = "plan-mismatch",
    /// A location that no flow of the storage has.
    Error FlowNotFound = "flow-not-found",
    /// An operation that the storage does not support.
    Error Unsupported = "unsupported",
    /// An image without name or tag.
    Error NoImageName = "no-image-name",
    /// `local_image` with a base image that the daemon does not have.
    Error NoLocalImage = "no-local-image",
    /// Something that the classic builder can't do.
    Error NeedsBuildkit = "needs-buildkit",
    /// Bytes that are needed, but that a resolved spec or a serialized storage only describes.
    Error NoContent = "no-content",
    /// A source whose bytes a preview did not get.
    Warning UnseenSource = "unseen-source",
    /// A policy that the spec names and that has not judged the plan.
    Warning UnjudgedPlan = "unjudged-plan",
    /// A policy that can't be run, or that doesn't answer with valid verdicts.
    Error PolicyFailed = "policy-failed",
    /// A verdict of a policy, which has its own code and severity.
    Error Verdict = "verdict",
    /// A source that differs from what the resolved spec states.
    Error SourceChanged = "source-changed",
    /// A text that is not a serialized storage.
    Error InvalidStorage = "invalid-storage",
    /// A text that is not the preview of an earlier plan.
    Error InvalidPreview = "invalid-preview",
    /// Bytes that are not a snapshot.
    Error InvalidSnapshot = "invalid-snapshot",
    /// A source that does not exist. The host reports this code and the next ones, up to `not-pickled`.
    Error MissingFile = "missing-file",
    /// A path to which the file system denies access.
    Error PermissionDenied = "permission-denied",
    /// A file system that can't be written to.
    Error ReadOnly = "read-only",
    /// A disk that is full.
    Error StorageFull = "storage-full",
    /// Any other error of a file system, and a source that is neither a file nor (where allowed) a directory.
    Error FileError = "file-error",
    /// A directory where a file should be.
    Error IsADirectory = "is-a-directory",
    /// A file where a directory should be.
    Error NotADirectory = "not-a-directory",
    /// A path outside of all granted directories.
    Error NotGranted = "not-granted",
    /// No usable Python.
    Error NoPython = "no-python",
    /// The Python has no cloudpickle.
    Error NoCloudpickle = "no-cloudpickle",
    /// The flow's file fails when it is executed.
    Error ImportFailed = "import-failed",
    /// The flow's file has no such object.
    Error NoObject = "no-object",
    /// The object can't be pickled, or can't be run.
    Error NotPickled = "not-pickled",
    /// A host that breaks the contract of the interface.
    Error HostFault = "host-fault",
}

impl Code {
    /// The help for every finding with this code.
    const fn help(self) -> Option<&'static str> {
        Some(match self {
            Self::Syntax | Self::WrongType => "`flowhold init` writes an example of each key",
            Self::DuplicateKey | Self::RepeatedRequirement => "leave one of them out",
            Self::InvalidValue | Self::InvalidPath => "write another value, or leave it out",
            Self::OtherStorage => "leave it out, or change the type",
            Self::UnusedBuildArg => {
                "what an installer reads (PIP_*, UV_*) belongs in env_vars, what nobody may see in secrets"
            }
            Self::UnexpandedVariable => "write the whole value: a spec expands nothing",
            Self::NoFlows => "add [[flows]] with a path",
            Self::UnjudgedPlan => "`flowhold check` has the policies beside the spec judge it",
            Self::UnreadSecret => "secrets are for installing: name one like the variable that it is to be, or netrc",
            Self::SourceChanged => "leave out what the spec states of it, to take it as it is now",
            Self::HostFault => "report this to the authors of the host program",
            _ => return None,
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&Diagnostic> for Json {
    fn from(diagnostic: &Diagnostic) -> Self {
        let mut fields = Object::default();
        fields.put("code", diagnostic.code());
        fields.put("severity", diagnostic.severity.as_str());
        fields.put("field", &diagnostic.field);
        fields.put("message", &diagnostic.message);
        fields.put("help", diagnostic.help.as_ref());
        fields.put_some("line", diagnostic.line);
        fields.put_some("policy", diagnostic.policy.as_ref().map(|policy| &policy.policy));
        fields.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.iter().all(|text| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        texts.sort_unstable();
        let all = texts.len();
        texts.dedup();
        assert_eq!(texts.len(), all);
    }
}
