//! What is not done when a server's time to shut down is over, and what is never begun.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use common::bounded::{once, until, within};
use common::raw;
use common::serve::{BoxError, Guard, Reply, Served, get, reply};
use http::Request;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::PollSemaphore;
use tower::{Service, service_fn};
use wt_connection::{Body, Connection, Connections, Limits, Server, Session, Upgrade};

const TIMEOUT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_session_that_is_open_at_the_deadline_is_closed_and_reported() {
    within(async {
        let (site, stop, _told) = waiting(|server| server.shutdown_code(7, "out of time"));
        let client = site.client().await;
        let session = client.open("/").await.unwrap();
        let (other, done) = (site.client().await, site.client().await);
        let sessions = [
            other.open("/").await.unwrap(),
            other.open("/").await.unwrap(),
        ];

        stop.send(()).unwrap();

        for session in [&session, &sessions[0], &sessions[1]] {
            let close = session.closed().await.close().cloned().unwrap();
            assert_eq!((close.code(), close.reason()), (7, "out of time"));
        }
        let report = site.serving.await.unwrap();
        assert_eq!(report.connections, 3);
        let mut cut: Vec<_> = report
            .cut
            .iter()
            .map(|cut| (cut.sessions, cut.requests))
            .collect();
        cut.sort_unstable();
        assert_eq!(cut, [(1, 0), (2, 0)]);
        assert_ne!(report.cut[0].id, report.cut[1].id);
        assert!(report.cut[0].remote_address.ip().is_loopback());
        assert!(done.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn the_default_code_is_0_with_a_reason() {
    within(async {
        let (site, stop, _told) = waiting(|server| server);
        let client = site.client().await;
        let session = client.open("/").await.unwrap();

        stop.send(()).unwrap();

        let close = session.closed().await.close().cloned().unwrap();
        assert_eq!((close.code(), close.reason()), (0, "the server shuts down"));
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_never_ends_is_cut_at_the_deadline() {
    within(async {
        let (site, stop, mut told) = waiting(|server| server);
        let client = site.client().await;
        let asked = [(); 3].map(|()| tokio::spawn(get(&client, "/")));
        let opening = tokio::spawn(opened(client.clone(), "/never"));
        for _ in 0..4 {
            assert_eq!(told.recv().await, Some("begun"));
        }

        stop.send(()).unwrap();

        for _ in 0..4 {
            assert_eq!(told.recv().await, Some("dropped"));
        }
        for asked in asked {
            assert!(asked.await.unwrap().is_err());
        }
        assert!(opening.await.unwrap().is_none());
        let report = site.serving.await.unwrap();
        let cut: Vec<_> = report
            .cut
            .iter()
            .map(|cut| (cut.sessions, cut.requests))
            .collect();
        assert_eq!((report.connections, cut), (1, vec![(0, 4)]));
        site.endpoint.close(0, "").await;
    })
    .await;
}

#[tokio::test]
async fn time_that_never_ends_is_no_deadline() {
    within(async {
        let (site, stop, _told) = waiting(|server| server.shutdown_timeout(Duration::MAX));
        let client = site.client().await;
        let session = client.open("/").await.unwrap();

        stop.send(()).unwrap();
        session.draining().await;
        session.close(0, "");

        assert!(site.serving.await.unwrap().cut.is_empty());
    })
    .await;
}

#[tokio::test]
async fn no_time_at_all_cuts_at_once() {
    within(async {
        let (site, stop, _told) = waiting(|server| server.shutdown_timeout(Duration::ZERO));
        let client = site.client().await;
        let session = client.open("/").await.unwrap();

        stop.send(()).unwrap();

        assert!(session.closed().await.is_orderly());
        assert_eq!(site.serving.await.unwrap().cut.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_whose_service_is_never_made_is_cut() {
    within(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let site = Served::run(Limits::default(), |server| {
            let make = service_fn(|_: Connection| async {
                pending::<()>().await;
                Ok::<_, BoxError>(Gate::new(Arc::new(Semaphore::new(0))))
            });
            let server = server.shutdown_timeout(TIMEOUT).shutdown_on(ends(stopped));
            tokio::spawn(server.serve_make(make))
        });
        let client = site.client().await;
        let mut asked = pin!(get(&client, "/"));
        assert!(once(asked.as_mut()).await.is_none());

        stop.send(()).unwrap();

        assert!(client.closed().await.is_orderly());
        assert!(asked.await.is_err());
        let cut = site.serving.await.unwrap().cut;
        assert_eq!((cut.len(), cut[0].requests), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_maker_that_is_not_ready_does_not_hold_up_the_end() {
    within(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let site = Served::run(Limits::default(), |server| {
            let server = server.shutdown_on(ends(stopped));
            tokio::spawn(server.serve_make(NeverReady))
        });
        let client = site.client().await;

        stop.send(()).unwrap();

        assert!(site.serving.await.unwrap().cut.is_empty());
        assert!(client.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn a_request_that_waits_for_a_service_is_not_lost() {
    // The connection was closed as though nothing were open on it.
    within(async {
        let room = Arc::new(Semaphore::new(0));
        let (stop, stopped) = oneshot::channel::<()>();
        let site = Served::set(
            Limits::default(),
            |server| server.shutdown_on(ends(stopped)),
            Gate::new(Arc::clone(&room)),
        );
        let peer = site.raw().await;
        let mut control = peer.quic.accept_uni().await.unwrap();
        raw::read_settings(&mut control).await;
        let mut asked = Vec::new();
        for _ in 0..2 {
            let (mut send, recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&raw::request("GET", "/", &[]))
                .await
                .unwrap();
            send.finish().unwrap();
            asked.push(recv);
        }

        stop.send(()).unwrap();
        // The end comes behind the second GOAWAY.
        for _ in 0..2 {
            raw::read_frame(&mut control).await;
        }
        room.add_permits(2);

        for mut recv in asked {
            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
            assert_eq!(raw::read_frame(&mut recv).await, (0, b"called".to_vec()));
        }
        assert_eq!(site.serving.await.unwrap().cut, []);
    })
    .await;
}

#[tokio::test]
async fn requests_that_wait_for_a_service_until_the_deadline_are_reported() {
    // Of those that nobody had looked at, none was.
    within(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let site = Served::set(
            Limits::default(),
            |server| server.shutdown_timeout(TIMEOUT).shutdown_on(ends(stopped)),
            Gate::new(Arc::new(Semaphore::new(0))),
        );
        let client = site.client().await;
        let mut asked = [(); 3].map(|()| get(&client, "/"));
        for asked in &mut asked {
            assert!(once(pin!(asked)).await.is_none());
        }

        stop.send(()).unwrap();

        for asked in asked {
            assert!(asked.await.is_err());
        }
        let report = site.serving.await.unwrap();
        assert_eq!(report.cut.iter().map(|cut| cut.requests).sum::<usize>(), 3);
    })
    .await;
}

#[tokio::test]
async fn connections_leave_the_registry_as_the_server_ends() {
    within(async {
        let connections = Connections::new();
        let kept = connections.clone();
        let (site, stop, _told) = waiting(|server| server.connections(kept));
        let client = site.client().await;
        let _session = client.open("/").await.unwrap();
        until(|| connections.len() == 1).await;

        stop.send(()).unwrap();

        site.serving.await.unwrap();
        assert!(connections.is_empty());
    })
    .await;
}

/// A server that gives little time, whose handlers keep sessions open and answer nothing else.
fn waiting(
    set: impl FnOnce(Server) -> Server,
) -> (Served, oneshot::Sender<()>, mpsc::Receiver<&'static str>) {
    let (stop, stopped) = oneshot::channel();
    let (tell, told) = mpsc::channel(20);
    let service = service_fn(move |request| wait(request, Guard(tell.clone())));
    let set = |server: Server| {
        let server = server.shutdown_timeout(TIMEOUT).shutdown_on(ends(stopped));
        set(server)
    };
    (Served::set(Limits::default(), set, service), stop, told)
}

async fn wait(mut request: Request<Body>, guard: Guard) -> Result<Reply, BoxError> {
    if request.uri().path() == "/"
        && let Some(upgrade) = Upgrade::of(&mut request)
    {
        let session = upgrade.session();
        upgrade.spawn(async move {
            session.await.unwrap().closed().await;
        });
        return Ok(reply(""));
    }
    guard.0.try_send("begun")?;
    pending().await
}

async fn ends(stopped: oneshot::Receiver<()>) {
    let _ = stopped.await;
}

async fn opened(client: Connection, path: &'static str) -> Option<Session> {
    client.open(path).await.ok()
}

/// Ready for as many calls as there are permits; each spends one.
#[derive(Clone)]
struct Gate {
    room: PollSemaphore,
    ready: bool,
}

impl Gate {
    fn new(room: Arc<Semaphore>) -> Self {
        let room = PollSemaphore::new(room);
        Self { room, ready: false }
    }
}

impl Service<Request<Body>> for Gate {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.ready {
            ready!(self.room.poll_acquire(cx)).ok_or("closed")?.forget();
            self.ready = true;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.ready = false;
        std::future::ready(Ok(reply("called")))
    }
}

/// Makes nothing, ever.
struct NeverReady;

impl Service<Connection> for NeverReady {
    type Response = Gate;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Gate, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: Connection) -> Self::Future {
        pending()
    }
}
