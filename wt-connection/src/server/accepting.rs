use std::error::Error;
use std::future::{pending, poll_fn};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body as HttpBody;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::MakeService;
use tower_service::Service;
use tracing::Instrument;

use crate::server::report::{Cut, ShutdownReport};
use crate::server::serving;
use crate::server::settings::Server;
use crate::server::shutdown::Shutdown;
use crate::{Body, Connection, Connections, Endpoint, Incoming, Origins};

/// Lets clients in, and gives each connection a task and a service.
pub(crate) struct Accepting {
    endpoint: Endpoint,
    connections: Connections,
    max_unvalidated: usize,
    end: End,
    site: Arc<Site>,
    handshakes: JoinSet<Option<Connection>>,
    serving: JoinSet<Option<Cut>>,
}

/// When no more connections are taken.
struct End {
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// How long handshakes that are under way then may take.
    patience: Duration,
    /// Until when handshakes may end that had begun before the signal: their clients may have begun
    /// to ask already.
    last: Option<Instant>,
}

/// What the tasks of all connections share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) origins: Origins,
    pub(crate) shutdown: Shutdown,
}

impl Accepting {
    pub(crate) fn new(server: Server) -> Self {
        let site = Site {
            origins: server.origins,
            shutdown: Shutdown::new(server.shutdown_timeout, server.shutdown_close),
        };
        Self {
            endpoint: server.endpoint,
            connections: server.connections,
            max_unvalidated: server.max_unvalidated,
            end: End {
                signal: server.signal.unwrap_or_else(|| Box::pin(pending())),
                patience: LONGEST_HANDSHAKE.min(server.shutdown_timeout),
                last: None,
            },
            site: Arc::new(site),
            handshakes: JoinSet::new(),
            serving: JoinSet::new(),
        }
    }

    /// Runs until the server has shut down.
    pub(crate) async fn run<M, B>(mut self, mut make: M) -> ShutdownReport
    where
        M: MakeService<Connection, http::Request<Body>, Response = http::Response<B>>,
        M::MakeError: Into<Box<dyn Error + Send + Sync>> + 'static,
        M::Future: Send + 'static,
        M::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
        M::Service: Send + 'static,
        <M::Service as Service<http::Request<Body>>>::Future: Send + 'static,
        B: HttpBody<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        while let Some(connection) = self.next().await {
            let ready = loop {
                tokio::select! {
                    biased;
                    over = self.end.next() => {
                        self.begin_shutdown();
                        if over {
                            break None;
                        }
                    }
                    _ = self.endpoint.owner().closing() => break None,
                    ready = poll_fn(|cx| make.poll_ready(cx)) => break Some(ready),
                }
            };
            let Some(ready) = ready else { break };
            if let Err(error) = ready {
                let error = error.into();
                tracing::warn!(error, "no service can be made any more");
                break;
            }
            let made_for = connection.clone();
            let making = AssertUnwindSafe(|| make.make_service(made_for));
            // Where it panics, the connection is dropped.
            if let Ok(making) = panic::catch_unwind(making) {
                let site = Arc::clone(&self.site);
                let span = connection.core().span.clone();
                let serving = serving::serve(connection, site, making);
                self.serving.spawn(serving.instrument(span));
            }
        }
        self.shut_down().await
    }

    /// Waits for the next connection whose handshake is done; `None` once there will be no more.
    async fn next(&mut self) -> Option<Connection> {
        loop {
            let ending = self.end.has_begun();
            if ending && self.handshakes.is_empty() {
                return None;
            }
            tokio::select! {
                biased;
                over = self.end.next() => {
                    self.begin_shutdown();
                    if over {
                        return None;
                    }
                }
                Some(_) = self.serving.join_next(), if !ending => {}
                Some(done) = self.handshakes.join_next() => if let Ok(Some(connection)) = done {
                    return Some(connection);
                },
                incoming = self.endpoint.accept() => {
                    self.let_in(incoming?);
                }
            }
        }
    }

    /// Begins the handshake, if there is room for the connection.
    fn let_in(&mut self, incoming: Incoming) {
        if self.end.has_begun() {
            return incoming.refuse();
        }
        let busy = self.connections.handshakes() >= self.max_unvalidated;
        let incoming = if busy && !incoming.is_address_validated() {
            match incoming.validate_address() {
                Ok(()) => return,
                Err(incoming) => incoming,
            }
        } else {
            incoming
        };
        let Some(reservation) = self.connections.reserve() else {
            return incoming.refuse();
        };
        self.handshakes.spawn(async move {
            // Why it is none is told by the attempt.
            let connection = incoming.accept_to_serve().await.ok()?;
            reservation.fill(&connection);
            Some(connection)
        });
    }

    /// Lets every connection drain; those that are over by now are not part of it.
    fn begin_shutdown(&mut self) {
        if self.site.shutdown.begin() {
            while self.serving.try_join_next().is_some() {}
        }
    }

    /// Lets everybody finish, and nobody else in.
    async fn shut_down(mut self) -> ShutdownReport {
        self.begin_shutdown();
        // Also of those that are done, and that nobody has taken: their clients are let go of.
        self.handshakes.shutdown().await;
        let mut report = ShutdownReport {
            connections: self.serving.len(),
            cut: Vec::new(),
        };
        let refuse = async {
            while let Some(incoming) = self.endpoint.accept().await {
                incoming.refuse();
            }
            pending().await
        };
        let finish = async {
            while let Some(served) = self.serving.join_next().await {
                report.cut.extend(served.ok().flatten());
            }
        };
        tokio::select! {
            () = finish => report,
            never = refuse => never,
        }
    }
}

impl End {
    /// Waits for the signal, then for the end of the time that is left; says whether it is that.
    ///
    /// Cancel safe.
    async fn next(&mut self) -> bool {
        if let Some(last) = self.last {
            sleep_until(last).await;
            return true;
        }
        (&mut self.signal).await;
        self.last = Some(Instant::now() + self.patience);
        false
    }

    fn has_begun(&self) -> bool {
        self.last.is_some()
    }
}

/// How long a handshake under way is waited for at most.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(1);
