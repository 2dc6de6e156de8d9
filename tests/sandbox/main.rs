//! The sandbox holds: a guest that was written for the purpose tries to break out of it.
#![expect(clippy::unwrap_used, reason = "tests stop at what they don't expect")]
#![forbid(unsafe_code)]

mod files;
mod guest;
mod handles;
mod instances;
mod limits;
mod policies;
mod powers;
mod sources;
