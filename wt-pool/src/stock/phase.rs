use crate::stock::Refusal;

/// Whether a target takes in anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Nobody is let in until it is empty.
    Draining,
    /// The pool is closed.
    Closed,
    /// It is empty, and nobody finds it any more; who has it has to look again.
    Forgotten,
}

impl Phase {
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Open => None,
            Self::Draining => Some(Refusal::Draining),
            Self::Closed => Some(Refusal::Closed),
            Self::Forgotten => Some(Refusal::Forgotten),
        }
    }
}
