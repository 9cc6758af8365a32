use std::time::Duration;

/// A call was not answered before its deadline; it has been given up.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("no answer within {0:?}")]
pub struct DeadlineExceeded(Duration);

impl DeadlineExceeded {
    pub(crate) fn after(waited: Duration) -> Self {
        Self(waited)
    }

    /// How long the call had, its wait for readiness included.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.0
    }
}
