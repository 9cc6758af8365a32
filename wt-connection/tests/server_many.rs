//! Many clients at once, which ask, open, wait and give up in whatever order.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::bounded::{until, within};
use common::serve::{BoxError, Chunks, End, Reply, Served, content, count, get, post, reply, text};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};
use tower::service_fn;
use wt_connection::{BiStream, Body, Connection, Limits, Upgrade};

const CLIENTS: usize = 4;
const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_given_up_leaves_nothing_behind() {
    within(async {
        let site = Site::new();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(site.served.client().await);
        }

        let mut begun = JoinSet::new();
        for round in 0..ROUNDS {
            for client in &clients {
                begun.spawn(give_up_after(round % 8, ask(client.clone(), round)));
            }
        }
        while begun.join_next().await.is_some() {}

        // Nothing holds up the end: neither a request nor a session.
        for client in &clients {
            assert_eq!(text(get(client, "/").await.unwrap()).await, "plain");
        }
        let live = Arc::clone(&site.live);
        until(|| live.load(Ordering::Relaxed) == 0).await;
        site.stop.send(()).unwrap();
        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (CLIENTS, vec![]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_and_sessions_at_once_are_all_served() {
    within(async {
        let site = Site::new();
        let mut served = JoinSet::new();

        for _ in 0..CLIENTS {
            let client = site.served.client().await;
            for round in 0..ROUNDS {
                served.spawn(ask(client.clone(), round));
            }
        }

        while let Some(served) = served.join_next().await {
            served.unwrap();
        }
        site.stop.send(()).unwrap();
        assert_eq!(site.served.serving.await.unwrap().cut, []);
    })
    .await;
}

/// Asks for something, and checks what it gets.
async fn ask(client: Connection, round: usize) {
    match round % 4 {
        0 => assert_eq!(text(get(&client, "/").await.unwrap()).await, "plain"),
        1 => {
            let upload = Chunks::new(10_000, 10, End::Whole);
            let echo = post(&client, "/echo", upload).await.unwrap();
            assert_eq!(count(echo.into_body()).await, 100_000);
        }
        2 => {
            let session = client.open("/session").await.unwrap();
            let BiStream {
                mut send, mut recv, ..
            } = session.open_bi().await.unwrap();
            send.write_all(b"question").await.unwrap();
            send.finish().unwrap();
            assert_eq!(recv.read_to_end(100).await.unwrap(), b"question");
            session.close(0, "");
            session.closed().await;
        }
        _ => {
            let echo = post(&client, "/echo", content("text")).await.unwrap();
            assert_eq!(text(echo).await, "text");
        }
    }
}

/// Drops the future after it was polled so often.
async fn give_up_after(polls: usize, future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        if common::bounded::once(future.as_mut()).await.is_some() {
            return;
        }
        yield_now().await;
    }
}

/// A server that counts what is under way.
struct Site {
    served: Served,
    stop: oneshot::Sender<()>,
    live: Arc<AtomicUsize>,
}

impl Site {
    fn new() -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let live = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&live);
        let service = service_fn(move |request| handle(request, Live::new(&counted)));
        let served = Served::set(
            Limits::default(),
            |server| {
                server.shutdown_on(async {
                    let _ = stopped.await;
                })
            },
            service,
        );
        Self { served, stop, live }
    }
}

async fn handle(mut request: Request<Body>, live: Live) -> Result<Reply, BoxError> {
    yield_now().await;
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let _live = live;
            let Ok(session) = session.await else { return };
            while let Ok(stream) = session.accept_bi().await {
                let BiStream {
                    mut send, mut recv, ..
                } = stream;
                let Ok(question) = recv.read_to_end(100).await else {
                    continue;
                };
                let _ = send.write_all(&question).await;
                let _ = send.finish();
            }
        });
        return Ok(reply(""));
    }
    if request.uri().path() != "/echo" {
        return Ok(reply("plain"));
    }
    let body = request.into_body().map_err(Into::into);
    let body = body.map_frame(move |frame| {
        let _ = &live;
        frame
    });
    Ok(Response::new(body.boxed_unsync()))
}

/// Counts for as long as it lives.
struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(counted: &Arc<AtomicUsize>) -> Self {
        counted.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counted))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
