use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::connection::demux::Demux;
use crate::connection::stop::Stop;
use crate::connection::{Core, Owner, control};
use crate::error::{Close, ConnectionError};
use crate::gate::Gate;
use crate::proto::code;
use crate::proto::control::Side;
use crate::session::Ask;
use crate::state::ConnectionState;

/// The task of one connection: it runs the demultiplexer until the connection ends, and ends it.
pub(crate) struct Driver {
    core: Arc<Core>,
    owner: Owner,
}

/// Why the work is done.
enum End {
    /// Every handle is gone.
    Released,
    /// A handle, or the endpoint, wants the connection closed.
    Asked(Close),
    /// The handshake takes too long, or a server has made nothing of what it was sent before.
    Handshake(ConnectionError),
    Stop(Stop),
}

/// Ends the connection of a driver that panics, so that nobody waits for it in vain.
struct Guard(Arc<Core>);

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            let core = &self.0;
            core.lose(&ConnectionError::Internal);
            core.close(code::H3_INTERNAL_ERROR, "internal error");
            core.requests.refuse_all(code::H3_INTERNAL_ERROR);
            core.sessions.arrivals().close();
            core.finish();
        }
    }
}

impl Driver {
    pub(crate) fn new(core: Arc<Core>, owner: Owner) -> Self {
        Self { core, owner }
    }

    /// Runs until the connection is over.
    pub(crate) async fn run(self) {
        let mut demux = Demux::new(Arc::clone(&self.core));
        // The control streams of both sides must stay open as long as the connection: this side's
        // is kept here, the peer's in the demultiplexer.
        let mut control = None;
        // Dropped before them.
        let _guard = Guard(Arc::clone(&self.core));
        let end = self.work(&mut demux, &mut control).await;
        self.core.sessions.arrivals().close();
        match end {
            End::Released => self.close_orderly(Close::new(0, ""), false).await,
            End::Asked(close) => {
                // Also where it was the endpoint that asked: a session that starts from here on
                // looks at this.
                self.core.closing.ask(close.clone());
                let sessions = self.core.sessions.all();
                for session in &sessions {
                    session.ask(Ask::Close(close.clone()));
                }
                let told = !sessions.is_empty();
                drop(sessions);
                self.close_orderly(close, told).await;
            }
            End::Handshake(error) => {
                self.core.lose(&error);
                self.core.close(code::H3_NO_ERROR, &error.to_string());
                self.wind_down().await;
            }
            End::Stop(Stop::Fault(fault)) => {
                self.core.lose(&ConnectionError::fault(fault));
                self.core.close(fault.code, fault.reason);
                self.wind_down().await;
            }
            End::Stop(Stop::Lost(error)) => {
                self.core.lose(&error);
                self.wind_down().await;
            }
        }
        self.core.finish();
    }

    /// Closes once every session is over; a moment later, if this side has just told sessions so.
    async fn close_orderly(&self, close: Close, told: bool) {
        self.core.state.advance(ConnectionState::Closing);
        self.core.set_error(&ConnectionError::Closed);
        self.wind_down().await;
        if told {
            sleep(HEARD).await;
        }
        self.core.close(code::H3_NO_ERROR, close.reason());
    }

    async fn work(&self, demux: &mut Demux, control: &mut Option<quinn::SendStream>) -> End {
        let core = Arc::clone(&self.core);
        let (mut end, mut attend) = (Gate::new(), Gate::new());
        let serve = async {
            let control = match control::open(&core).await {
                Ok(stream) => control.insert(stream),
                Err(stop) => return stop,
            };
            let attended = pin!(control::attend(&core, control));
            tokio::select! {
                stop = demux.run() => stop,
                stop = attend.pass(attended) => stop,
            }
        };
        let wanted = pin!(async {
            tokio::select! {
                biased;
                close = core.closing.asked() => End::Asked(close),
                close = self.owner.closing() => End::Asked(close),
                // Whoever reports one may let go of the last handle right behind it.
                fault = core.failed() => End::Stop(Stop::Fault(fault)),
                () = core.released.cancelled() => End::Released,
                never = heed(&core) => match never {},
                // Before whatever fails over that.
                error = handshake_failed(&core) => End::Handshake(error),
            }
        });
        tokio::select! {
            biased;
            end = end.pass(wanted) => end,
            stop = serve => End::Stop(stop),
        }
    }

    /// Refuses what nobody has looked at, and waits for the sessions' tasks and for the answers,
    /// each of which has a time limit.
    async fn wind_down(&self) {
        self.core.requests.refuse_all(code::H3_REQUEST_REJECTED);
        self.core.tasks.close();
        self.core.tasks.wait().await;
        let delivered = self.core.answers.delivered();
        // Whether it was in time or not, there is nothing more to do.
        let _ = timeout(self.core.limits.flush_timeout, delivered).await;
    }
}

/// How long a browser takes to pass on to its page how a session ended, which an end of the
/// connection would overtake.
const HEARD: Duration = Duration::from_millis(20);

/// Waits until the handshake is done, and ends if it takes too long, or nothing has arrived of what
/// was sent before.
async fn handshake_failed(core: &Core) -> ConnectionError {
    let limit = match core.side {
        Side::Client => core.timing.connect_timeout.unwrap_or(Duration::MAX),
        Side::Server => core.limits.header_timeout,
    };
    let accepted = timeout(limit, core.handshake.run(&core.quinn)).await;
    if accepted != Ok(true)
        && let Some(resumption) = &core.resumption
    {
        resumption.forget();
    }
    match accepted {
        Err(_) => ConnectionError::TimedOut,
        Ok(false) if core.quinn.close_reason().is_none() => ConnectionError::EarlyDataRejected,
        // The loss of the connection is told elsewhere.
        Ok(_) => std::future::pending().await,
    }
}

/// Drains a connection on which much was given up.
async fn heed(core: &Core) -> Infallible {
    core.left_behind.much().await;
    core.drain();
    std::future::pending().await
}

#[cfg(all(test, feature = "self-signed"))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tokio_test::{assert_ready, task};

    use super::*;
    use crate::error::SessionError;
    use crate::{Connector, Endpoint, Identity, Trust};

    #[tokio::test]
    async fn a_driver_that_panics_fails_its_connection_and_lets_nobody_wait() {
        // The connection ended as if this side had closed it.
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let server = Endpoint::server("[::1]:0".parse().unwrap(), identity).unwrap();
        let target = server.local_address().unwrap().into();
        let mut connector = Connector::new(Endpoint::client(trust).unwrap());
        let connecting = tower_service::Service::call(&mut connector, target);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (client, there) = tokio::join!(connecting, accept);
        let client = client.unwrap();
        let accept = async { there.accept().await.unwrap().accept().await.unwrap() };
        let (session, _accepted) = tokio::join!(client.open("/"), accept);
        let session = session.unwrap();

        let core = Arc::clone(client.core());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guard = Guard(Arc::clone(&core));
            panic!("as a driver might");
        }));

        assert!(panicked.is_err());
        assert_ready!(task::spawn(core.sessions.arrivals().placed()).poll());
        assert_eq!(client.closed().await, ConnectionError::Internal);
        let ended = SessionError::Connection(ConnectionError::Internal);
        assert_eq!(session.closed().await, ended);
        let info = client.info();
        assert_eq!((info.state, info.error_count), (ConnectionState::Failed, 1));
        let ConnectionError::ClosedByPeer { code, .. } = there.closed().await else {
            panic!("closed otherwise");
        };
        assert_eq!(code, code::H3_INTERNAL_ERROR);
    }
}
