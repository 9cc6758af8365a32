use wt_connection::{ConnectError, Connection, ConnectionError};
use wt_health::Outcome;

/// What an attempt to connect says about the backend.
#[must_use]
pub fn connect(result: Result<&Connection, &ConnectError>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(error) => not_connected(error),
    }
}

/// What it says that an attempt to connect failed.
pub(crate) fn not_connected(error: &ConnectError) -> Outcome {
    match error {
        // A name that leads nowhere, and a certificate that is not trusted, are of no use either.
        ConnectError::NameNotFound(_)
        | ConnectError::Unreachable(_)
        | ConnectError::Refused
        | ConnectError::TimedOut
        | ConnectError::Tls { .. }
        | ConnectError::Alpn
        | ConnectError::NoWebTransport => Outcome::Failure,
        ConnectError::Lost(error) => lost(error),
        ConnectError::InvalidTarget(_) | ConnectError::Endpoint(_) | ConnectError::Local(_) => {
            Outcome::Ignore
        }
        _ => Outcome::Failure,
    }
}

/// What it says that a connection is over before it has answered.
pub(crate) fn lost(error: &ConnectionError) -> Outcome {
    match error {
        ConnectionError::Closed | ConnectionError::Internal => Outcome::Ignore,
        // It says goodbye; whether it can be had again, the next connection says.
        error if error.is_orderly() => Outcome::Ignore,
        _ => Outcome::Failure,
    }
}
