//! The host's capabilities as the core's traits.

use std::{any::Any, sync::Arc};

use flowhold_core::{
    blob::{self, SharedBlob},
    capability::{
        BuildOptions, BuildStep, Builder, BuiltImage, Clock, ContainerRun, Daemon, Docker, Files, LocalImage, Random,
        SecretSource, Segment,
    },
    diagnostic::{Code, Diagnostic, Severity},
    digest::Digest,
    failure::{Failure, FailureKind},
    storage::Capabilities,
};

use crate::flowhold::storage::{clock, diagnostics, docker, files, plans, random};

/// The host.
pub(crate) struct Host;

/// All capabilities of the host.
pub(crate) const CAPABILITIES: Capabilities<'static> =
    Capabilities { files: &Host, docker: &Host, clock: &Host, random: &Host };

/// A blob of the host.
struct HostBlob(files::Blob);

/// A handle of the host, as a blob of the core.
pub(crate) fn from_host(blob: files::Blob) -> SharedBlob {
    Arc::new(HostBlob(blob))
}

/// A handle that can be given to the host: another handle on a blob of the host, or a new one for bytes that the core
/// has.
pub(crate) fn to_host(blob: &SharedBlob) -> Result<files::Blob, Failure> {
    match blob.as_any().downcast_ref::<HostBlob>() {
        Some(own) => Ok(own.0.share()),
        None => Ok(files::Blob::new(&blob::read_all(blob.as_ref())?)),
    }
}

impl blob::Blob for HostBlob {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn sha256(&self) -> Result<Digest, Failure> {
        let Some(bytes) = unless(UNSUPPORTED, self.0.sha256())? else { return blob::hash(self) };
        let bytes = <[u8; 32]>::try_from(bytes)
            .map_err(|bytes| Failure::input(Code::HostFault, format!("a sha256 of {} bytes", bytes.len())))?;
        Ok(Digest::from_bytes(bytes))
    }

    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        self.0.read(offset, length).map_err(failure_from_host)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Files for Host {
    fn open(&self, path: &str) -> Result<Option<SharedBlob>, Failure> {
        Ok(unless(MISSING_FILE, files::open(path))?.map(from_host))
    }

    fn create(&self, path: &str, content: &SharedBlob) -> Result<bool, Failure> {
        files::create(path, &to_host(content)?).map_err(failure_from_host)
    }

    fn create_all(&self, files: &[(String, SharedBlob)]) -> Result<Vec<bool>, Failure> {
        let handles = files.iter().map(|(_, content)| to_host(content)).collect::<Result<Vec<_>, _>>()?;
        let paths = files.iter().map(|(path, _)| path.clone());
        let files: Vec<_> = paths.zip(&handles).collect();
        let created = files::create_all(&files).map_err(failure_from_host)?;
        if created.len() != files.len() {
            return Err(Failure::input(
                Code::HostFault,
                format!("the host tells of {} new files where {} are asked for", created.len(), files.len()),
            ));
        }
        Ok(created)
    }

    fn replace(&self, path: &str, content: &SharedBlob) -> Result<(), Failure> {
        files::replace(path, &to_host(content)?).map_err(failure_from_host)
    }

    fn entries(&self, directory: &str) -> Result<Vec<String>, Failure> {
        files::entries(directory).map_err(failure_from_host)
    }

    fn create_directory(&self, directory: &str) -> Result<(), Failure> {
        files::create_directory(directory).map_err(failure_from_host)
    }
}

impl Docker for Host {
    fn connect(&self, base_url: Option<&str>) -> Result<Box<dyn Daemon>, Failure> {
        Ok(Box::new(HostDaemon(docker::connect(base_url).map_err(failure_from_host)?)))
    }
}

struct HostDaemon(docker::Daemon);

impl Daemon for HostDaemon {
    fn image(&self, reference: &str) -> Result<Option<LocalImage>, Failure> {
        let image = unless(NO_SUCH_IMAGE, self.0.image(reference))?;
        Ok(image.map(|image| LocalImage { id: image.id, labels: image.labels }))
    }

    fn published(&self, reference: &str) -> Result<Option<String>, Failure> {
        unless(NOT_PUBLISHED, self.0.published(reference))
    }

    fn pull(&self, reference: &str, platform: Option<&str>) -> Result<(), Failure> {
        self.0.pull(reference, platform).map_err(failure_from_host)
    }

    fn builder(&self) -> Result<Builder, Failure> {
        Ok(match self.0.builder().map_err(failure_from_host)? {
            docker::Builder::Buildkit => Builder::Buildkit,
            docker::Builder::Classic => Builder::Classic,
        })
    }

    fn build(&self, archive: &[Segment], options: &BuildOptions) -> Result<BuiltImage, Failure> {
        let archive: Vec<_> = archive
            .iter()
            .map(|segment| match segment {
                Segment::Bytes(bytes) => Ok(ArchivePart::Bytes(bytes)),
                Segment::Blob(blob) => match blob.as_any().downcast_ref::<HostBlob>() {
                    Some(own) => Ok(ArchivePart::Blob(&own.0)),
                    None => Ok(ArchivePart::Owned(blob::read_all(blob.as_ref())?)),
                },
            })
            .collect::<Result<_, Failure>>()?;
        let archive: Vec<_> = archive.iter().map(ArchivePart::segment).collect();
        let built = self.0.build(&archive, &options_to_host(options)).map_err(failure_from_host)?;
        let step = |step: docker::BuildStep| BuildStep { name: step.name, cached: step.cached, seconds: step.seconds };
        Ok(BuiltImage { id: built.id, steps: built.steps.into_iter().map(step).collect() })
    }

    fn push(&self, reference: &str) -> Result<Option<String>, Failure> {
        Ok(self.0.push(reference).map_err(failure_from_host)?.digest)
    }

    fn run(&self, run: &ContainerRun) -> Result<i64, Failure> {
        let run = docker::ContainerRun {
            image: run.image.clone(),
            command: run.command.clone(),
            env: run.env.clone(),
            timeout_seconds: run.timeout_seconds,
        };
        self.0.run(&run).map_err(failure_from_host)
    }

    fn copy_out(&self, image: &str, path: &str) -> Result<Option<SharedBlob>, Failure> {
        Ok(unless(MISSING_FILE, self.0.copy_out(image, path))?.map(from_host))
    }
}

fn options_to_host(options: &BuildOptions) -> docker::BuildOptions {
    docker::BuildOptions {
        reference: options.reference.clone(),
        labels: options.labels.clone(),
        builder: match options.builder {
            Builder::Buildkit => docker::Builder::Buildkit,
            Builder::Classic => docker::Builder::Classic,
        },
        platform: options.platform.clone(),
        network: options.network.clone(),
        build_args: options.build_args.clone(),
        secrets: options
            .secrets
            .iter()
            .map(|secret| docker::BuildSecret {
                id: secret.id.clone(),
                source: match &secret.source {
                    SecretSource::Env(name) => docker::SecretSource::Env(name.clone()),
                    SecretSource::File(path) => docker::SecretSource::File(path.clone()),
                },
            })
            .collect(),
        cache_from: options.cache_from.clone(),
        inline_cache: options.inline_cache,
    }
}

enum ArchivePart<'a> {
    Bytes(&'a [u8]),
    Owned(Vec<u8>),
    Blob(&'a files::Blob),
}

impl ArchivePart<'_> {
    fn segment(&self) -> docker::Segment<'_> {
        match self {
            Self::Bytes(bytes) => docker::Segment::Bytes(bytes.to_vec()),
            Self::Owned(bytes) => docker::Segment::Bytes(bytes.clone()),
            Self::Blob(blob) => docker::Segment::Blob(blob),
        }
    }
}

impl Clock for Host {
    fn now(&self) -> u64 {
        clock::now()
    }
}

impl Random for Host {
    fn uuid(&self) -> String {
        random::uuid()
    }
}

// Codes of failures by which a host says that something does not exist or is not supported. They are part of the
// interface.
const MISSING_FILE: &str = "missing-file";
const NO_SUCH_IMAGE: &str = "no-such-image";
const NOT_PUBLISHED: &str = "not-published";
const UNSUPPORTED: &str = "unsupported";

/// The host's answer; `None` if it is a failure with this code.
fn unless<T>(code: &str, answer: Result<T, diagnostics::Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.code == code => Ok(None),
        Err(failure) => Err(failure_from_host(failure)),
    }
}

/// Converts a failure that the host reports.
pub(crate) fn failure_from_host(failure: diagnostics::Failure) -> Failure {
    let kind = match failure.kind {
        diagnostics::FailureKind::Input => FailureKind::Input,
        diagnostics::FailureKind::Unavailable => FailureKind::Unavailable,
        diagnostics::FailureKind::Retry => FailureKind::Retry,
        diagnostics::FailureKind::Interrupted => FailureKind::Interrupted,
    };
    Failure { kind, code: failure.code, field: failure.field, message: failure.message, help: failure.help }
}

/// Converts a failure for the host.
pub(crate) fn failure_to_host(failure: Failure) -> diagnostics::Failure {
    let kind = match failure.kind {
        FailureKind::Input => diagnostics::FailureKind::Input,
        FailureKind::Unavailable => diagnostics::FailureKind::Unavailable,
        FailureKind::Retry => diagnostics::FailureKind::Retry,
        FailureKind::Interrupted => diagnostics::FailureKind::Interrupted,
    };
    diagnostics::Failure {
        kind,
        code: failure.code,
        field: failure.field,
        message: failure.message,
        help: failure.help,
    }
}

/// Converts a diagnostic for the host.
pub(crate) fn diagnostic_to_host(diagnostic: &Diagnostic) -> diagnostics::Diagnostic {
    diagnostics::Diagnostic {
        code: diagnostic.code().to_owned(),
        severity: match diagnostic.severity {
            Severity::Error => plans::Severity::Error,
            Severity::Warning => plans::Severity::Warning,
            Severity::Info => plans::Severity::Info,
        },
        field: diagnostic.field.clone(),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
        line: diagnostic.line,
        policy: diagnostic.policy.as_ref().map(|policy| policy.policy.clone()),
    }
}
