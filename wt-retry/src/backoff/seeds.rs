use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

/// Gives each call a generator of its own, all of them from one seed.
#[derive(Debug)]
pub(crate) struct Seeds(Mutex<Rng>);

impl Seeds {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::with_seed(seed)))
    }

    pub(crate) fn rng(&self) -> Rng {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }
}
