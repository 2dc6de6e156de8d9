//! How much may be held at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How much of something is left: bytes of a guest or of small files, or open files.
#[derive(Debug, Clone)]
pub(crate) struct Quota(Arc<AtomicUsize>);

impl Quota {
    pub(crate) fn of(amount: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(amount)))
    }

    /// Takes this amount; none if less is left.
    pub(crate) fn take(&self, amount: usize) -> Option<Permit> {
        let left = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(amount));
        left.ok().map(|_| Permit { quota: self.clone(), amount })
    }
}

/// A part of a quota, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    quota: Quota,
    amount: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.quota.0.fetch_add(self.amount, Ordering::AcqRel);
    }
}
