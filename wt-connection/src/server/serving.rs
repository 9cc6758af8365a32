use std::error::Error;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use http_body::Body as HttpBody;
use tokio::task::JoinSet;
use tower_service::Service;
use tracing::Instrument;

use crate::connection::{Core, Next};
use crate::server::accepting::Site;
use crate::server::asking::Asking;
use crate::server::peer::Peer;
use crate::server::report::Cut;
use crate::state::ConnectionState;
use crate::{Body, Connection};

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves one connection until it is over, or the server has shut down.
pub(crate) async fn serve<F, S, B, E>(
    connection: Connection,
    site: Arc<Site>,
    making: F,
) -> Option<Cut>
where
    F: Future<Output = Result<S, E>> + Send,
    S: Service<http::Request<Body>, Response = http::Response<B>> + Send,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let made = tokio::select! {
        made = async { making.await.map_err(Into::into) } => made,
        () = connection.core().state.reached(ConnectionState::Closing) => return None,
        () = site.shutdown.deadline() => return Serving::<S>::cut(&connection, &site, 0).await,
    };
    match made {
        Ok(service) => Serving::new(connection, site, service).run().await,
        Err(error) => {
            tracing::debug!(error, "no service for a connection");
            connection.close(0, "").await;
            None
        }
    }
}

/// A connection, its service, and the requests that are being handled.
struct Serving<S> {
    connection: Connection,
    site: Arc<Site>,
    peer: Peer,
    service: S,
    /// What waits until the service is ready.
    waiting: Option<Next>,
    handling: JoinSet<()>,
}

impl<S, B> Serving<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Send,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    fn new(connection: Connection, site: Arc<Site>, service: S) -> Self {
        Self {
            peer: Peer::new(connection.quic()),
            connection,
            site,
            service,
            waiting: None,
            handling: JoinSet::new(),
        }
    }

    async fn run(mut self) -> Option<Cut> {
        let site = Arc::clone(&self.site);
        tokio::select! {
            biased;
            _ = site.shutdown.begun() => {}
            () = self.handle_all() => {
                // The connection is over, unless the service is.
                self.connection.close(0, "").await;
                return None;
            }
        }
        self.connection.drain();
        tokio::select! {
            () = self.finish() => {
                self.connection.close(0, site.shutdown.close.reason()).await;
                None
            }
            () = site.shutdown.deadline() => {
                self.cut_off().await
            }
        }
    }

    /// Handles requests until the connection is over, or its service is.
    async fn handle_all(&mut self) {
        let core = Arc::clone(self.connection.core());
        loop {
            if self.waiting.is_none() {
                let Ok(next) = core.requests.next(|| core.error()).await else {
                    return;
                };
                self.take_in(next);
            }
            if !self.handle_waiting(&core).await {
                return;
            }
        }
    }

    /// Handles what is still taken, and waits until nothing is open.
    async fn finish(&mut self) {
        let core = Arc::clone(self.connection.core());
        loop {
            if self.waiting.is_none() {
                let next = tokio::select! {
                    biased;
                    next = core.requests.next(|| core.error()) => next.ok(),
                    () = done(&core, &mut self.handling) => None,
                };
                match next {
                    Some(next) => self.take_in(next),
                    // It came as everything else was done.
                    None if core.requests.queued() > 0 => continue,
                    None => return,
                }
            }
            // Nothing is done while a request waits for the service.
            if !self.handle_waiting(&core).await {
                return;
            }
        }
    }

    /// Has a request wait for the service, unless it does not come to it: for such a one the
    /// service must not become ready, which may take what others wait for.
    fn take_in(&mut self, next: Next) {
        // Those that are done are let go of here, so that none has to wake this task.
        while self.handling.try_join_next().is_some() {}
        match next {
            Next::Connect(queued) if !self.site.origins.admits(&queued.request) => {
                let (_, asking) = Asking::new(*queued, self.connection.handle());
                let span = asking.span().clone();
                self.handling.spawn(asking.forbid().instrument(span));
            }
            next => self.waiting = Some(next),
        }
    }

    /// Waits until the service is ready for what waits, if anything does; says whether neither the
    /// connection nor the service is over.
    ///
    /// Cancel safe: a request that waits goes on waiting.
    async fn handle_waiting(&mut self, core: &Core) -> bool {
        if self.waiting.is_none() {
            return true;
        }
        // Also for a request that its client gives up meanwhile: a service that was asked to be
        // ready has to be called, or it keeps what others wait for.
        let ready = tokio::select! {
            biased;
            ready = poll_fn(|cx| self.service.poll_ready(cx)) => ready,
            () = core.state.reached(ConnectionState::Closing) => return false,
        };
        if let Err(error) = ready {
            let error = error.into();
            tracing::debug!(error, "a service is never ready again");
            return false;
        }
        if let Some(next) = self.waiting.take() {
            self.handle(next);
        }
        true
    }

    async fn cut_off(mut self) -> Option<Cut> {
        while self.handling.try_join_next().is_some() {}
        let handling = self.handling.len() + usize::from(self.waiting.is_some());
        self.handling.abort_all();
        Self::cut(&self.connection, &self.site, handling).await
    }

    async fn cut(connection: &Connection, site: &Site, requests: usize) -> Option<Cut> {
        let core = connection.core();
        let cut = Cut {
            id: connection.id(),
            remote_address: connection.remote_address(),
            sessions: core.sessions.all().len(),
            requests: requests + core.requests.queued() + core.answers.count(),
        };
        let close = &site.shutdown.close;
        connection.close(close.code(), close.reason()).await;
        Some(cut)
    }

    fn handle(&mut self, next: Next) {
        match next {
            Next::Plain(arrival) => {
                let (request, responder) = arrival.into_parts(self.connection.handle());
                if let Some(response) = self.call(request) {
                    self.handling
                        .spawn(responder.respond(response).in_current_span());
                }
            }
            Next::Connect(queued) => {
                let (request, asking) = Asking::new(*queued, self.connection.handle());
                let span = asking.span().clone();
                if let Some(response) = span.in_scope(|| self.call(request)) {
                    self.handling
                        .spawn(asking.conclude(response).instrument(span));
                }
            }
        }
    }

    /// Calls the service, which is ready; `None` if it panics.
    fn call(&mut self, mut request: http::Request<Body>) -> Option<S::Future> {
        let extensions = request.extensions_mut();
        extensions.insert(self.connection.clone());
        extensions.insert(self.peer.clone());
        #[cfg(feature = "axum")]
        extensions.insert(::axum::extract::ConnectInfo(self.peer.address()));
        panic::catch_unwind(AssertUnwindSafe(|| self.service.call(request))).ok()
    }
}

impl<S> Drop for Serving<S> {
    fn drop(&mut self) {
        // Sessions may keep the connection open though nobody answers on it any more.
        let core = self.connection.core();
        core.drain();
        core.requests.close(self.waiting.take());
    }
}

/// Waits until no request is being handled, and no session is open.
///
/// Cancel safe: what is still open is waited for the next time.
async fn done(core: &Core, handling: &mut JoinSet<()>) {
    core.goaway.settled().await;
    // What is half here, and counts as taken.
    core.reading.close();
    core.reading.wait().await;
    while handling.join_next().await.is_some() {}
    core.answers.delivered().await;
    for tasks in [&core.tasks, &core.handlers] {
        tasks.close();
        tasks.wait().await;
    }
}
