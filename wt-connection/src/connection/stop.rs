use crate::error::ConnectionError;
use crate::proto::fault::ConnectionFault;

/// What ends a connection that nobody asked to end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The peer broke the rules, and has to be told.
    Fault(ConnectionFault),
    /// The connection is gone already.
    Lost(ConnectionError),
}
