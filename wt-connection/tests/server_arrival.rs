//! That what a server sends has arrived before it ends, and what it is sent waits with the client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::bounded::{until, within};
use common::serve::{BoxError, Chunks, End, Guard, Served, get, post, reply, text};
use common::{raw, target};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tower::{Service, ServiceExt, service_fn};
use wt_connection::{Body, Connection, ConnectionState, Limits, Server, Upgrade};

#[tokio::test]
async fn content_in_small_frames_waits_with_the_client_while_it_is_read() {
    // h3 took as many frames more as it gave, outside of QUIC's windows.
    within(async {
        let turns = Arc::new(Semaphore::new(0));
        let read = Arc::new(AtomicUsize::new(0));
        let (turn, counted) = (Arc::clone(&turns), Arc::clone(&read));
        let served = Served::by(move |request: Request<Body>| {
            let (turn, counted) = (Arc::clone(&turn), Arc::clone(&counted));
            async move {
                let mut body = request.into_body();
                loop {
                    turn.acquire().await?.forget();
                    let frame = body.frame().await.ok_or("no more")??;
                    counted.fetch_add(frame.into_data().unwrap().len(), Ordering::Relaxed);
                }
            }
        });
        let client = served.client().await;
        let upload = Chunks::new(1024, 16 << 10, End::Whole);
        let polled = upload.polled();
        let _posting = tokio::spawn(async move { post(&client, "/", upload).await });

        // The client is ahead as far as it may be before each turn.
        for turn in 0..16 {
            still(&polled).await;
            turns.add_permits(500);
            until(|| read.load(Ordering::Relaxed) >= (turn + 1) * 500 * 512).await;
            until(|| turns.available_permits() == 0).await;
        }
        still(&polled).await;

        let ahead = polled.load(Ordering::Relaxed) * 1024 - read.load(Ordering::Relaxed);
        assert!(ahead < 2 * WINDOW, "{ahead}");
    })
    .await;
}

/// Waits until a count no longer grows.
async fn still(counted: &AtomicUsize) {
    let (mut last, mut same) = (0, 0);
    until(|| {
        let now = counted.load(Ordering::Relaxed);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        now > 0 && same > 20_000
    })
    .await;
}

#[tokio::test]
async fn a_response_that_is_slow_to_arrive_is_waited_for() {
    // It was cut off once it was written, and nobody was reported.
    within(async {
        let (served, stop) = large(Duration::from_secs(60));
        let client = served.client().await;
        let response = get(&client, "/").await.unwrap();
        let mut serving = served.serving;

        stop.send(()).unwrap();
        let mut states = client.states();
        let draining = |state: &ConnectionState| *state == ConnectionState::Draining;
        states.wait_for(draining).await.unwrap();
        let early = timeout(Duration::from_millis(300), &mut serving).await;

        assert!(early.is_err(), "{early:?}");
        assert_eq!(text(response).await.len(), LARGE);
        assert!(serving.await.unwrap().cut.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_response_that_has_not_arrived_by_the_deadline_is_reported() {
    within(async {
        let (served, stop) = large(Duration::from_millis(100));
        let client = served.client().await;
        let _response = get(&client, "/").await.unwrap();

        stop.send(()).unwrap();

        let cut = served.serving.await.unwrap().cut;
        assert_eq!((cut.len(), cut[0].requests), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_half_here_is_answered_during_a_shutdown() {
    within(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let set = |server: Server| server.shutdown_on(async { drop(stopped.await) });
        let service = service_fn(|_| ready(Ok::<_, BoxError>(reply("whole"))));
        let served = Served::set(Limits::default(), set, service);
        let peer = served.raw().await;
        let head = raw::headers(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/"),
        ]);
        let (mut send, mut answer) = peer.quic.open_bi().await.unwrap();
        send.write_all(&head[..5]).await.unwrap();
        let (mut other, mut seen) = peer.quic.open_bi().await.unwrap();
        other.write_all(&head).await.unwrap();
        other.finish().unwrap();
        assert_eq!(raw::status(&raw::read_frame(&mut seen).await.1), "200");

        stop.send(()).unwrap();
        let mut control = peer.quic.accept_uni().await.unwrap();
        raw::read_settings(&mut control).await;
        for _ in 0..2 {
            raw::read_frame(&mut control).await;
        }
        send.write_all(&head[5..]).await.unwrap();
        send.finish().unwrap();

        assert_eq!(raw::status(&raw::read_frame(&mut answer).await.1), "200");
        assert!(served.serving.await.unwrap().cut.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_client_that_nobody_has_taken_is_let_go_of_at_once() {
    // It heard nothing as long as another client held the server.
    within(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Served::run(Limits::default(), |server| {
            let server = server.shutdown_on(async { drop(stopped.await) });
            tokio::spawn(server.serve_make(Once(AtomicBool::new(false))))
        });
        let first = served.client().await;
        let session = first.open("/").await.unwrap();
        // Whoever is let in while the maker is not ready waits to be taken.
        let connect = || {
            let connecting = served.connector.clone().oneshot(target(&served.endpoint));
            tokio::spawn(async move { connecting.await.ok() })
        };
        let others: [_; 4] = std::array::from_fn(|_| connect());
        until(|| others.iter().any(|other| other.is_finished())).await;

        stop.send(()).unwrap();

        for other in others {
            if let Some(connection) = other.await.unwrap() {
                assert!(connection.closed().await.is_orderly());
            }
        }
        session.draining().await;
        session.close(0, "");
        assert!(served.serving.await.unwrap().cut.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_given_up_by_a_reset_alone_drops_its_handler() {
    // It ran on until the client stopped its answer, too, which is long after.
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let begun = Arc::new(Notify::new());
        let begins = Arc::clone(&begun);
        let served = Served::by(move |_| {
            let (guard, begins) = (Guard(tell.clone()), Arc::clone(&begins));
            async move {
                let _guard = guard;
                begins.notify_one();
                pending().await
            }
        });
        let client = served.client().await;
        let mut opening = Box::pin(client.open("/"));
        tokio::select! {
            biased;
            _ = &mut opening => panic!("nobody answers"),
            () = begun.notified() => {}
        }

        drop(opening);

        assert_eq!(told.recv().await, Some("dropped"));
    })
    .await;
}

#[tokio::test]
async fn cookies_in_pieces_are_whole_for_the_handler() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let cookies: Vec<_> = request.headers().get_all(header::COOKIE).iter().collect();
            assert_eq!(cookies.len(), 1);
            Ok(reply(cookies[0].as_bytes().to_vec()))
        });
        let client = served.client().await;
        let request = Request::get("/")
            .header(header::COOKIE, "a=1")
            .header(header::COOKIE, "b=2");

        let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = client.http().request(request).await.unwrap();

        assert_eq!(text(response).await, "a=1; b=2");
    })
    .await;
}

#[tokio::test]
async fn a_head_of_unknown_length_is_told_none() {
    within(async {
        let served = Served::by(|_| ready(Ok(reply(""))));
        let client = served.client().await;
        let head = Request::head("/")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();

        let response = client.http().request(head).await.unwrap();

        assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
    })
    .await;
}

/// A server of large responses, which flushes for no time at all.
fn large(shutdown_timeout: Duration) -> (Served, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let set = move |server: Server| {
        let server = server.shutdown_timeout(shutdown_timeout);
        server.shutdown_on(async { drop(stopped.await) })
    };
    let limits = Limits::default().flush_timeout(Duration::from_millis(1));
    let service = service_fn(|_| ready(Ok::<_, BoxError>(reply(vec![7; LARGE]))));
    (Served::set(limits, set, service), stop)
}

/// Makes one service, of sessions that stay open.
struct Once(AtomicBool);

impl Service<Connection> for Once {
    type Response = Kept;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Kept, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.0.load(Ordering::Relaxed) {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Connection) -> Self::Future {
        self.0.store(true, Ordering::Relaxed);
        ready(Ok(Kept))
    }
}

struct Kept;

impl Service<Request<Body>> for Kept {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<String>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let upgrade = Upgrade::of(&mut request).unwrap();
        let session = upgrade.session();
        upgrade.spawn(async move {
            session.await.unwrap().closed().await;
        });
        ready(Ok(Response::default()))
    }
}

/// More than quinn takes ahead of a reader by this crate's default, and less than it has sent
/// ahead.
const LARGE: usize = 3 << 20;
const WINDOW: usize = 1_250_000;
