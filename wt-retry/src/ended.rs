/// How a call of a [`Retry`](crate::Retry) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How many attempts were made, at least 1.
    pub attempts: u32,
    /// What ended it.
    pub stopped: Stopped,
}

/// What ended a call of a [`Retry`](crate::Retry), whatever its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// The policy saw the last outcome and asked for no other attempt.
    Policy,
    /// The policy had not saved the request, so it could not be sent again.
    Unsaved,
    /// The service failed while a retry waited for it to be ready.
    NotReady,
    /// A retry layer above sends the request again if need be.
    Nested,
}
