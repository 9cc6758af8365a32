//! Spans of what lasts, and the events of its end.
//!
//! No header is in any: their values are secrets.

use std::net::SocketAddr;

use http::Uri;
use tracing::field::Empty;
use tracing::{Span, debug, debug_span};

use crate::connection::Core;
use crate::error::{Close, ConnectionError, SessionError};
use crate::id::ConnectionId;
use crate::proto::control::Side;
use crate::target::Target;

/// The span of an attempt to connect.
pub(crate) fn connect(id: ConnectionId, target: &Target) -> Span {
    debug_span!("connect", %id, %target)
}

/// The span of a connection, which outlives the one that it is made in.
pub(crate) fn connection(id: ConnectionId, side: Side, remote_address: SocketAddr) -> Span {
    let side = match side {
        Side::Client => "client",
        Side::Server => "server",
    };
    debug_span!(parent: None, "connection", %id, side, %remote_address)
}

/// The span of a session that is asked for; its id is recorded once it is known.
pub(crate) fn session(core: &Core, uri: &Uri) -> Span {
    // What is behind the path may be a secret, too.
    let authority = uri.authority().unwrap_or(&core.authority);
    let path = uri.path();
    debug_span!(parent: &core.span, "session", connection = %core.id, id = Empty, %authority, path)
}

/// Notes how a connection ends; `close` is what this side was asked to close it with.
pub(crate) fn connection_over(core: &Core, error: &ConnectionError) {
    let connection = &core.id;
    match error {
        ConnectionError::Closed => {
            let close = core.closing.get();
            let code = close.as_ref().map_or(0, Close::code);
            let reason = close.as_ref().map_or("", Close::reason);
            debug!(%connection, code, reason, "closing");
        }
        ConnectionError::ClosedByPeer { code, reason } => {
            // As text, which subscribers escape: it is whatever the peer likes.
            let reason = &*String::from_utf8_lossy(reason);
            debug!(%connection, code, reason, "closed by the peer");
        }
        ConnectionError::Protocol { code, reason } => {
            debug!(%connection, code, reason, "the peer broke the protocol");
        }
        ConnectionError::Transport { code, reason } => {
            debug!(%connection, code, reason, "the transport failed");
        }
        ConnectionError::TimedOut
        | ConnectionError::Reset
        | ConnectionError::EarlyDataRejected
        | ConnectionError::Internal => {
            debug!(%connection, %error, "lost");
        }
    }
}

/// Notes how a session ends.
pub(crate) fn session_over(error: &SessionError) {
    let by_peer = matches!(error, SessionError::ClosedByPeer(_));
    match error {
        SessionError::Closed(close) | SessionError::ClosedByPeer(close) => {
            let (code, reason) = (close.code(), close.reason());
            debug!(code, reason, by_peer, "session closed");
        }
        SessionError::Aborted { code } => debug!(code, "session aborted by the peer"),
        SessionError::Protocol { code } => debug!(code, "the peer broke the session's protocol"),
        SessionError::InvalidResponse | SessionError::NotAccepted | SessionError::Connection(_) => {
            debug!(%error, "session lost");
        }
    }
}
