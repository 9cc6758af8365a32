use crate::proto::draft;
use crate::proto::fault::Fault;

/// The peer sent or opened more than it was allowed to.
///
/// It costs the session ([draft 16, §5.6.2 and §5.6.4]).
///
/// [draft 16, §5.6.2 and §5.6.4]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-5.6.2
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer exceeded a limit of the session")]
pub struct Exceeded;

/// The peer took back what it had allowed.
///
/// It costs the session ([draft 16, §5.6.2 and §5.6.4]).
///
/// [draft 16, §5.6.2 and §5.6.4]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-5.6.2
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer lowered a limit of the session")]
pub struct Lowered;

impl From<Exceeded> for Fault {
    fn from(_: Exceeded) -> Self {
        Self::Stream(draft::FLOW_CONTROL_ERROR_14)
    }
}

impl From<Lowered> for Fault {
    fn from(_: Lowered) -> Self {
        Self::Stream(draft::FLOW_CONTROL_ERROR_14)
    }
}
