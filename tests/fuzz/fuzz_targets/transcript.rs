#![no_main]

#[path = "../../../host/src/progress/clean.rs"]
mod clean;
#[expect(dead_code, reason = "the classic builder is not all that it is about")]
#[path = "../../../host/src/progress/event.rs"]
mod event;
#[path = "../checks/transcript.rs"]
mod transcript;

/// The host's progress, as far as it is about the classic builder.
mod progress {
    pub(crate) use crate::{
        clean::{clean, without_passwords},
        event::Event,
    };

    pub(crate) trait Progress {
        fn event(&self, event: Event<'_>);
    }
}

mod capability {
    #[derive(Debug)]
    pub(crate) struct BuildStep {
        pub(crate) name: String,
        pub(crate) cached: bool,
        pub(crate) seconds: f64,
    }
}

mod failure {
    pub(crate) enum FailureKind {
        Input,
        Unavailable,
        Retry,
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| transcript::check(data));
