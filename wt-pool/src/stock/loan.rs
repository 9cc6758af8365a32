use crate::error::PoolError;
use crate::line::Turn;
use crate::slots::Key;
use crate::stats::Reason;

/// What is lent: the connection itself if it is exclusive, a share of it if not.
#[derive(Debug)]
pub(crate) struct Loan<I> {
    pub(crate) key: Key,
    pub(crate) item: I,
    /// The slots of the connection that are lent, this one among them.
    pub(crate) lent: usize,
    pub(crate) capacity: usize,
    pub(crate) turn: Turn,
}

/// Why nothing is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has to be waited for, with this turn.
    Full(Turn),
    QueueFull,
    Draining,
    Closed,
    Forgotten,
}

impl From<Refusal> for PoolError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::QueueFull => Self::QueueFull,
            Refusal::Draining => Self::Draining,
            // Who is told that it is full waits; who is told that it is forgotten looks again.
            Refusal::Closed | Refusal::Forgotten | Refusal::Full(_) => Self::Closed,
        }
    }
}

/// How what was lent comes back.
#[derive(Debug)]
pub(crate) enum Return<I> {
    /// Used.
    Used(I),
    /// Never reached its borrower.
    Unused(I),
    /// Not to be lent again.
    Done(Reason),
}

/// What the stock is of.
pub(crate) trait Share: Sized {
    /// Another lease of the same connection; `None` if there can be only one.
    fn share(&mut self) -> Option<Self>;
    /// Takes in a lease that came back, to be used again.
    fn keep(&mut self, lease: Self);
}
