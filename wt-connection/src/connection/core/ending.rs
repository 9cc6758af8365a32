use quinn::ConnectionStats;

use crate::connection::Core;
use crate::error::{ConnectionError, SessionError};
use crate::guards::Guards;
use crate::session::Ask;
use crate::state::ConnectionState;
use crate::{congestion, trace, wire};

/// How a connection ends, and what is known of that.
impl Core {
    /// Notes how the connection ends; nothing more begins on it.
    pub(crate) fn set_error(&self, error: &ConnectionError) {
        // The first says how it ends.
        if self.error.set(error.clone()).is_ok() {
            trace::connection_over(self, error);
            if error.is_failure() {
                self.activity.count_error();
            }
        }
        self.room.close();
        self.requests.wake();
    }

    /// Ends every session with the connection.
    pub(crate) fn lose(&self, error: &ConnectionError) {
        let ended = SessionError::Connection(error.clone());
        self.set_error(error);
        for session in self.sessions.all() {
            session.end(&ended);
            session.ask(Ask::Lost(ended.clone()));
        }
    }

    /// Closes QUIC, with a code of HTTP/3's.
    pub(crate) fn close(&self, code: u64, reason: &str) {
        let window = self.quinn.stats().path.cwnd;
        self.last_window.get_or_init(|| window);
        congestion::open(&self.quinn);
        self.quinn.close(wire::varint(code), reason.as_bytes());
    }

    /// What is known of the path.
    pub(crate) fn stats(&self) -> ConnectionStats {
        let mut stats = self.quinn.stats();
        if let Some(window) = self.last_window.get() {
            stats.path.cwnd = *window;
        }
        stats
    }

    /// Tells everybody who waits that the connection is over.
    pub(crate) fn finish(&self) {
        self.activity.end();
        let failed = self.error().is_some_and(|error| error.is_failure());
        self.state.advance(if failed {
            ConnectionState::Failed
        } else {
            ConnectionState::Closed
        });
        let guards = self.guards.lock().take();
        // Outside of the lock: a guard's drop is somebody else's code.
        guards.unwrap_or_default().release();
        self.over.cancel();
    }

    /// Keeps `guard` until the connection is over, then drops it; at once if it is over already.
    pub(crate) fn hold(&self, guard: Box<dyn Send>) {
        let mut guards = self.guards.lock();
        match guards.as_mut() {
            Some(guards) => guards.push(guard),
            None => {
                drop(guards);
                Guards::from(guard).release();
            }
        }
    }

    /// Says whether the connection is over, or somebody has asked for its end.
    pub(crate) fn is_closing(&self) -> bool {
        let closing = matches!(
            self.state.get(),
            ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Failed
        );
        closing || self.closing.get().is_some()
    }

    /// Why the connection failed an operation: what is noted says more than QUIC, to which every
    /// end that the driver makes is this side's.
    pub(crate) fn lost(&self, error: quinn::ConnectionError) -> ConnectionError {
        self.error().unwrap_or_else(|| error.into())
    }

    /// Why the connection is over, if it is: by what is noted, or by what QUIC knows before.
    pub(crate) fn over(&self) -> Option<ConnectionError> {
        let lost = || self.quinn.close_reason().map(ConnectionError::from);
        self.error().or_else(lost)
    }

    /// Why the connection is over, or about to be.
    pub(crate) fn error(&self) -> Option<ConnectionError> {
        self.error.get().cloned()
    }

    /// Waits until the connection is over, and what was held for as long is dropped.
    pub(crate) async fn ended(&self) -> ConnectionError {
        self.over.cancelled().await;
        self.error().unwrap_or(ConnectionError::Closed)
    }
}
