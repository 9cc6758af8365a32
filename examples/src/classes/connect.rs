use std::ops::RangeInclusive;

use wt_connection::{ConnectError, Connection, ConnectionError, Target};
use wt_retry::Verdict;

/// The class of an attempt to connect.
#[must_use]
pub fn connect(_: &Target, result: Result<&Connection, &ConnectError>) -> Verdict {
    match result {
        Ok(_) => Verdict::Return,
        Err(error) => failed(error),
    }
}

/// The class of what made an attempt to connect fail.
pub(crate) fn failed(error: &ConnectError) -> Verdict {
    match error {
        ConnectError::Unreachable(_) | ConnectError::Refused | ConnectError::TimedOut => {
            Verdict::Retry
        }
        ConnectError::Lost(error) => lost(error),
        // A name, a certificate, a setting of either side: it is the same the next time.
        ConnectError::NameNotFound(_)
        | ConnectError::Tls { .. }
        | ConnectError::Alpn
        | ConnectError::NoWebTransport
        | ConnectError::InvalidTarget(_)
        | ConnectError::Endpoint(_)
        | ConnectError::Local(_) => Verdict::Return,
        _ => Verdict::Return,
    }
}

/// The class of what ended a connection before it has answered.
#[must_use]
pub fn lost(error: &ConnectionError) -> Verdict {
    match error {
        ConnectionError::ClosedByPeer { .. }
        | ConnectionError::TimedOut
        | ConnectionError::Reset => Verdict::Retry,
        ConnectionError::Transport { code, .. } if TLS.contains(code) => Verdict::Return,
        ConnectionError::Transport { .. } => Verdict::Retry,
        ConnectionError::Closed | ConnectionError::Protocol { .. } => Verdict::Return,
        _ => Verdict::Return,
    }
}

/// QUIC's codes for TLS alerts
/// ([RFC 9001 §4.8](https://www.rfc-editor.org/rfc/rfc9001#section-4.8)).
const TLS: RangeInclusive<u64> = 0x0100..=0x01ff;
