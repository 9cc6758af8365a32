use tower::BoxError;

/// Why a probe failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// No answer came in time.
    #[error("the probe was not answered in time")]
    TimedOut,
    /// The probe's own error.
    #[error("the probe failed")]
    Failed(#[source] BoxError),
    /// The probe's code panicked.
    #[error("the probe panicked")]
    Panicked,
}
