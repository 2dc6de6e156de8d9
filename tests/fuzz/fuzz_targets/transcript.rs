#![no_main]

#[path = "../../../host/src/progress/clean.rs"]
mod clean;
#[path = "../checks/transcript.rs"]
mod transcript;

/// What the host tells, as far as the classic builder is what it tells of.
mod progress {
    pub(crate) use crate::clean::{clean, without_passwords};

    pub(crate) enum Event<'a> {
        Step {
            index: u32,
            total: u32,
            name: &'a str,
        },
        Cached {
            index: u32,
        },
        Log {
            line: &'a str,
        },
        #[expect(dead_code, reason = "how far it has come is not checked")]
        Layer {
            id: &'a str,
            status: &'a str,
            current: Option<u64>,
            total: Option<u64>,
        },
        #[expect(dead_code, reason = "nor in which words")]
        Message {
            text: &'a str,
        },
    }

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
