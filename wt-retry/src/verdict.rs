use std::time::Duration;

/// What a classifier says of one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes back to the caller: a success, or a failure that another attempt would not mend.
    Return,
    /// Worth another attempt, after the backoff.
    Retry,
    /// Worth another attempt, and the server said not to come sooner than after this long.
    ///
    /// The backoff is waited on top of it, so that those who were told the same do not come back
    /// together. A hint beyond
    /// [`StandardPolicy::longest_hint`](crate::StandardPolicy::longest_hint) ends the call.
    RetryAfter(Duration),
    /// Never reached the application at the other end, so another attempt repeats nothing.
    ///
    /// It costs no budget. The first one of a call is sent at once, later ones after the backoff.
    RetryUnsent,
}
