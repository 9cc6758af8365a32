use std::error::Error;
use std::future::{pending, poll_fn};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;

use http_body::Body as HttpBody;
use tokio::task::JoinSet;
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
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
    site: Arc<Site>,
    handshakes: JoinSet<Option<Connection>>,
    serving: JoinSet<Option<Cut>>,
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
            signal: server.signal.unwrap_or_else(|| Box::pin(pending())),
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
            let ready = tokio::select! {
                biased;
                () = &mut self.signal => break,
                _ = self.endpoint.owner().closing() => break,
                ready = poll_fn(|cx| make.poll_ready(cx)) => ready,
            };
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

    /// Waits for the next connection whose handshake is done; `None` once the server is to shut
    /// down.
    async fn next(&mut self) -> Option<Connection> {
        loop {
            tokio::select! {
                biased;
                () = &mut self.signal => return None,
                Some(_) = self.serving.join_next() => {}
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
            let connection = incoming.accept_to_serve().await;
            let connection = connection
                .inspect_err(|error| tracing::debug!(%error, "a handshake failed"))
                .ok()?;
            reservation.fill(&connection);
            Some(connection)
        });
    }

    /// Lets everybody finish, and nobody else in.
    async fn shut_down(mut self) -> ShutdownReport {
        // Also of those that are done, and that nobody has taken: their clients are let go of.
        self.handshakes.shutdown().await;
        while self.serving.try_join_next().is_some() {}
        let mut report = ShutdownReport {
            connections: self.serving.len(),
            cut: Vec::new(),
        };
        self.site.shutdown.begin();
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
