/// Why a connection was not added to a [`Connections`](crate::Connections).
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// As many are in it as it takes.
    #[error("there are too many connections")]
    Full,
    /// It has been shut down.
    #[error("connections are not taken in any more")]
    Closed,
    /// The connection is over already.
    #[error("the connection is over")]
    Over,
}
