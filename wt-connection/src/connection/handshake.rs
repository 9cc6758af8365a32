use std::fmt;

use quinn::ZeroRttAccepted;
use tokio::sync::SetOnce;

use crate::lock::Lock;

/// Gives a connection before its handshake is done, if that is possible: on a client, if it
/// resumes.
pub(crate) async fn before(
    connecting: quinn::Connecting,
) -> Result<(quinn::Connection, Option<UnderWay>), quinn::ConnectionError> {
    match connecting.into_0rtt() {
        Ok((quinn, handshake)) => Ok((quinn, Some(UnderWay(handshake)))),
        Err(connecting) => Ok((connecting.await?, None)),
    }
}

/// The rest of a handshake.
pub(crate) struct UnderWay(ZeroRttAccepted);

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnderWay")
    }
}

/// Whether the handshake is done, on a connection that is used before: by a client that resumes, or
/// by a server that sends in its first flight.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// `None` once somebody waits for it, or nobody has to.
    under_way: Lock<Option<UnderWay>>,
    /// Whether what was sent before counts.
    done: SetOnce<bool>,
}

impl Handshake {
    /// Begins with one that is under way; done if there is none.
    pub(crate) fn new(under_way: Option<UnderWay>) -> Self {
        let done = under_way.is_none();
        let handshake = Self {
            under_way: Lock::new(under_way),
            done: SetOnce::new(),
        };
        if done {
            handshake.conclude(true);
        }
        handshake
    }

    /// Waits for its end, or that of the connection, and tells those who [wait](Self::done).
    pub(crate) async fn run(&self, quinn: &quinn::Connection) -> bool {
        let under_way = self.under_way.lock().take();
        if let Some(UnderWay(accepted)) = under_way {
            let accepted = accepted.await;
            // On a server, quinn gives `false` for all.
            let served = quinn.side().is_server() && quinn.close_reason().is_none();
            self.conclude(accepted || served);
        }
        self.done().await
    }

    /// Says whether it is done, so that nothing that arrives can be a replay.
    pub(crate) fn is_done(&self) -> bool {
        self.done.get() == Some(&true)
    }

    /// Waits until it is done; `false` if nothing has arrived of what was sent before, or it never
    /// will be.
    pub(crate) async fn done(&self) -> bool {
        *self.done.wait().await
    }

    fn conclude(&self, accepted: bool) {
        // It is done once.
        let _ = self.done.set(accepted);
    }
}
