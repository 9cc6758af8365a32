use wt_connection::{Session, SessionError};

/// What a session is closed with whose other end was lost rather than closed.
pub const LOST: u32 = 502;

/// The code and reason that the end of one session is for the other.
pub(super) fn passed_on(end: &SessionError) -> (u32, &str) {
    match end {
        // Who has the connection for one session alone may close it in its place.
        SessionError::Connection(error) if error.is_orderly() => (0, ""),
        end => end
            .close()
            .map_or((LOST, "the other end is lost"), |close| {
                (close.code(), close.reason())
            }),
    }
}

/// The two sessions, neither of which outlives this.
pub(super) struct Ends {
    client: Session,
    backend: Session,
}

impl Ends {
    pub(super) fn new(client: Session, backend: Session) -> Self {
        Self { client, backend }
    }

    pub(super) fn client(&self) -> &Session {
        &self.client
    }

    pub(super) fn backend(&self) -> &Session {
        &self.backend
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // Those that are closed already stay closed as they were.
        for session in [&self.client, &self.backend] {
            session.close(LOST, "the proxy gave up");
        }
    }
}
