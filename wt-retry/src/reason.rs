/// Why a [`StandardPolicy`](crate::StandardPolicy) made no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The classifier took the outcome for final: a success, most often.
    Returned,
    /// As many attempts were made as are allowed, whatever came of the last.
    Attempts,
    /// The budget had no retry left.
    Budget,
    /// The wait would have ended beyond the deadline that the request carries.
    Deadline,
    /// The server's hint was longer than the longest that is waited for.
    Hint,
    /// The sequence of delays had ended.
    Backoff,
    /// The request cannot be sent a second time.
    Unreplayable,
    /// A retry layer above sends the request again if need be.
    Nested,
}
