use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use tokio::task::JoinSet;
use wt_connection::{BiStream, Body, Connection, RecvStream, Session, SessionRequest, Upgrade};

/// Counts the tasks of the application that run.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<AtomicUsize>);

/// Counts as long as it is there.
struct Counted(Live);

impl Live {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn count(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves sessions and requests: echoes what comes, and does what paths say.
#[derive(Clone, Debug, Default)]
pub struct App {
    live: Live,
}

impl App {
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Answers a request, as a tower service does.
    pub async fn answer(
        self,
        mut request: Request<Body>,
    ) -> Result<Response<Full<Bytes>>, StatusCode> {
        let _live = self.live.count();
        let path = request.uri().path().to_owned();
        if let Some(upgrade) = Upgrade::of(&mut request) {
            return Ok(self.upgrade(upgrade, path));
        }
        let content = Limited::new(request.into_body(), MAX).collect().await;
        let content = content
            .map(|content| content.to_bytes())
            .unwrap_or_default();
        match &path[..] {
            "/reject" => Err(StatusCode::NOT_FOUND),
            "/large" => Ok(Response::new(Full::from(vec![7; MAX]))),
            _ => Ok(Response::new(Full::new(content))),
        }
    }

    /// Accepts the sessions of a connection until it is over.
    pub async fn accept(self, connection: Connection) {
        let _live = self.live.count();
        while let Ok(request) = connection.accept().await {
            tokio::spawn(self.clone().session(request));
        }
    }

    /// Echoes whatever comes in a session, until it is over.
    pub async fn echo(self, session: Session, path: String) {
        let _live = self.live.count();
        begin(&session, &path).await;
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                Ok(stream) = session.accept_bi() => drop(streams.spawn(echo(stream))),
                Ok(stream) = session.accept_uni() => drop(streams.spawn(send_back(session.clone(), stream))),
                Ok(payload) = session.read_datagram() => drop(session.send_datagram(payload)),
                _ = session.closed() => break,
            }
        }
        // With the session, its streams are over, too.
        while streams.join_next().await.is_some() {}
    }

    fn upgrade(self, upgrade: Upgrade, path: String) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        let upgrade = upgrade.select_protocol(["b"]);
        match &path[..] {
            "/reject" => *response.status_mut() = StatusCode::NOT_FOUND,
            "/drop" => {}
            _ => {
                let session = upgrade.session();
                tokio::spawn(async move {
                    if let Ok(session) = session.await {
                        self.echo(session, path).await;
                    }
                });
            }
        }
        response
    }

    async fn session(self, request: SessionRequest) {
        let _live = self.live.count();
        let path = request.uri().path().to_owned();
        match &path[..] {
            "/reject" => drop(request.reject(StatusCode::NOT_FOUND).await),
            "/drop" => {}
            _ => {
                if let Ok(session) = request.select_protocol(["b"]).accept().await {
                    self.echo(session, path).await;
                }
            }
        }
    }
}

/// A service that fails by a status, as one that never fails.
pub async fn serve(app: App, request: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(app.answer(request).await.unwrap_or_else(|status| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    }))
}

/// What a session's path asks for.
async fn begin(session: &Session, path: &str) {
    match path {
        "/close" => session.close(7, "bye"),
        "/drain" => session.drain(),
        "/fail" => drop(session.connection().close(8, "bye")),
        "/open" => {
            let _ = session.send_datagram("hello");
            if let Ok(mut stream) = session.open_uni().await {
                let _ = stream.write_all(b"hello").await;
            }
            if let Ok(mut stream) = session.open_bi().await {
                let _ = stream.send.write_all(b"hello").await;
                let _ = stream.send.reset(9);
            }
        }
        _ => {}
    }
}

async fn echo(mut stream: BiStream) {
    if let Ok(content) = stream.recv.read_to_end(MAX).await {
        let _ = stream.send.write_all(&content).await;
        let _ = stream.send.finish();
        let _ = stream.send.stopped().await;
    }
}

async fn send_back(session: Session, mut stream: RecvStream) {
    if let Ok(content) = stream.read_to_end(MAX).await
        && let Ok(mut send) = session.open_uni().await
    {
        let _ = send.write_all(&content).await;
    }
}

const MAX: usize = 64 * 1024;
