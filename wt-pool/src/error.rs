use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Why no connection could be lent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// No slot became free within the acquire timeout.
    ///
    /// With connections in use, a higher limit helps, or fewer callers; with connections being made
    /// and none in use, the target is slow or does not answer.
    #[error("no connection became free in time")]
    #[non_exhaustive]
    TimedOut {
        /// How long it has been waited for.
        waited: Duration,
        /// The connections that were in use at the end.
        in_use: usize,
        /// The connections that were being made at the end.
        connecting: usize,
    },
    /// As many wait for this target as may.
    #[error("too many wait for a connection")]
    QueueFull,
    /// The pool is closed, or its last handle is gone.
    #[error("the pool is closed")]
    Closed,
    /// The target is being drained; once it is empty, it may be used again.
    #[error("the target is being drained")]
    Draining,
    /// The maker failed. All who waited for the connection share the failure.
    #[error("could not connect")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
}
