/// Why a call was given to no backend.
///
/// It is what a [`Balance`](crate::Balance) fails with by itself, inside a `BoxError`; a backend's
/// error passes unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No backend is known, or all have left: discovery has something to find.
    #[error("no backend is known")]
    Empty,
    /// Backends are known, and none became ready in time: fewer calls help, or more backends.
    #[error("no backend became ready in time")]
    Busy,
    /// The balancer has been shut down; it stays so.
    #[error("the balancer is shut down")]
    Closed,
}

/// A list of targets was empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of targets is empty")]
#[non_exhaustive]
pub struct NoTargets;
