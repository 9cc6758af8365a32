//! A server that shuts down: what its clients are told, and what still gets done.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;

use common::bounded::within;
use common::raw::{self, H3_REQUEST_REJECTED, Raw, reset_code};
use common::serve::{BoxError, Chunks, End, Reply, Served, count, get, post, reply, text};
use common::target;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::{Notify, oneshot};
use tower::{ServiceExt, service_fn};
use wt_connection::{
    Body, ConnectError, ConnectionError, ConnectionState, Limits, OpenError, RequestError, Upgrade,
};

const GOAWAY: u64 = 0x07;
const ALL: u64 = (1 << 62) - 4;

#[tokio::test]
async fn a_server_without_anything_to_do_shuts_down_at_once() {
    within(async {
        let mut site = Site::new();
        let client = site.served.client().await;

        site.stop();

        assert!(client.closed().await.is_orderly());
        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
        site.served.endpoint.close(0, "").await;
    })
    .await;
}

#[tokio::test]
async fn clients_are_told_and_nobody_else_is_let_in() {
    within(async {
        let mut site = Site::new();
        let client = site.served.client().await;
        let session = client.open("/").await.unwrap();
        assert!(!session.is_draining());

        site.stop();

        session.draining().await;
        let mut states = client.states();
        let draining = |state: &ConnectionState| *state == ConnectionState::Draining;
        states.wait_for(draining).await.unwrap();
        let asked = get(&client, "/").await.unwrap_err();
        assert!(matches!(asked, RequestError::Draining), "{asked:?}");
        let opened = client.open("/").await.unwrap_err();
        assert!(matches!(opened, OpenError::Draining), "{opened:?}");
        let connector = site.served.connector.clone();
        let refused = connector.oneshot(target(&site.served.endpoint)).await;
        assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");

        // The session goes on until it is closed.
        session.send_datagram("question").unwrap();
        assert_eq!(session.read_datagram().await.unwrap(), "question");
        session.close(0, "");
        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_raw_client_is_told_twice_the_second_time_exactly() {
    within(async {
        let mut site = Site::new();
        let peer = site.served.raw().await;
        let mut control = peer.quic.accept_uni().await.unwrap();
        raw::read_settings(&mut control).await;
        let (mut connect, mut answer) = peer.connect_stream().await;
        connect.write_all(&raw::connect("/")).await.unwrap();
        assert_eq!(raw::status(&raw::read_frame(&mut answer).await.1), "200");
        let (_slow, mut slow) = ask(&peer, "/slow").await;
        assert_eq!(ask_whole(&peer).await, "200");

        site.stop();

        // Streams 0, 4 and 8 have been seen.
        assert_eq!(goaway(&mut control).await, ALL);
        assert_eq!(goaway(&mut control).await, 12);
        let (_late, mut late) = ask(&peer, "/").await;
        assert_eq!(reset_code(&mut late).await, H3_REQUEST_REJECTED);
        let (mut send, mut late) = peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        assert_eq!(reset_code(&mut late).await, H3_REQUEST_REJECTED);
        assert_eq!(
            raw::read_frame(&mut answer).await,
            (0, raw::drain_capsule())
        );

        site.go_on.notify_one();
        assert_eq!(raw::status(&raw::read_frame(&mut slow).await.1), "200");
        connect.finish().unwrap();
        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
    })
    .await;
}

#[tokio::test]
async fn each_request_below_the_last_goaway_is_answered() {
    within(async {
        let mut site = Site::new();
        let peer = site.served.raw().await;
        let mut control = peer.quic.accept_uni().await.unwrap();
        raw::read_settings(&mut control).await;
        let (_held, _answer) = ask(&peer, "/slow").await;
        let mut asked = vec![ask(&peer, "/").await];

        site.stop();
        assert_eq!(goaway(&mut control).await, ALL);
        let mut last = std::pin::pin!(goaway(&mut control));
        let last = loop {
            tokio::select! {
                biased;
                last = &mut last => break last,
                one = ask(&peer, "/") => if asked.len() < 100 {
                    asked.push(one);
                },
                () = tokio::task::yield_now() => {}
            }
        };
        asked.push(ask(&peer, "/").await);

        let (mut answered, mut refused) = (0, 0);
        for (send, mut recv) in asked {
            if u64::from(send.id()) < last {
                assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
                answered += 1;
            } else {
                assert_eq!(reset_code(&mut recv).await, H3_REQUEST_REJECTED);
                refused += 1;
            }
        }
        assert!(answered > 0 && refused > 0);
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_is_answered_whole() {
    within(async {
        let mut site = Site::new();
        let client = site.served.client().await;
        let upload = Chunks::new(1 << 16, 64, End::Whole);
        let echo = post(&client, "/echo", upload).await.unwrap();
        let slow = tokio::spawn(get(&client, "/slow"));
        site.begun.notified().await;

        site.stop();
        let mut states = client.states();
        let draining = |state: &ConnectionState| *state == ConnectionState::Draining;
        states.wait_for(draining).await.unwrap();
        site.go_on.notify_one();

        assert_eq!(text(slow.await.unwrap().unwrap()).await, "slow");
        assert_eq!(count(echo.into_body()).await, 64 << 16);
        assert!(client.closed().await.is_orderly());
        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
    })
    .await;
}

#[tokio::test]
async fn what_serves_a_session_is_waited_for() {
    within(async {
        let mut site = Site::new();
        let client = site.served.client().await;
        let session = client.open("/tidies-up").await.unwrap();

        site.stop();
        session.draining().await;
        session.close(0, "");
        session.closed().await;
        site.begun.notified().await;
        assert!(!site.served.serving.is_finished());
        site.go_on.notify_one();

        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_is_half_in_is_sent_away() {
    within(async {
        let mut site = Site::new();
        let served = &site.served;
        // Its SETTINGS never come.
        let (quic, _socket) = raw::quic_client(&served.endpoint, &served.identity).await;

        site.stop();

        let report = site.served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (0, vec![]));
        quic.closed().await;
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_endpoint_is_that_of_the_server() {
    within(async {
        let site = Site::new();
        let client = site.served.client().await;
        let session = client.open("/").await.unwrap();

        site.served.endpoint.close(7, "gone").await;

        let report = site.served.serving.await.unwrap();
        assert_eq!(report.cut, []);
        let closed = session.closed().await;
        assert_eq!(closed.close().map(|close| close.code()), Some(7));
        assert!(client.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_dropped_lets_go_of_everything() {
    within(async {
        let site = Site::new();
        let client = site.served.client().await;
        let slow = tokio::spawn(get(&client, "/slow"));
        site.begun.notified().await;

        site.served.serving.abort();

        assert!(slow.await.unwrap().is_err());
        assert!(matches!(
            client.closed().await,
            ConnectionError::ClosedByPeer { .. } | ConnectionError::Closed
        ));
        site.served.endpoint.close(0, "").await;
    })
    .await;
}

/// A server, and what makes it shut down.
struct Site {
    served: Served,
    stop: Option<oneshot::Sender<()>>,
    /// Lets what is slow go on.
    go_on: Arc<Notify>,
    /// Tells that it waits.
    begun: Arc<Notify>,
}

impl Site {
    fn new() -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (go_on, begun) = <(Arc<Notify>, Arc<Notify>)>::default();
        let notify = (Arc::clone(&go_on), Arc::clone(&begun));
        let service = service_fn(move |request| handle(request, notify.clone()));
        let set = |server: wt_connection::Server| {
            server.shutdown_on(async {
                let _ = stopped.await;
            })
        };
        Self {
            served: Served::set(Limits::default(), set, service),
            stop: Some(stop),
            go_on,
            begun,
        }
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

async fn handle(
    mut request: Request<Body>,
    (go_on, begun): (Arc<Notify>, Arc<Notify>),
) -> Result<Reply, BoxError> {
    let path = request.uri().path().to_owned();
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let session = session.await.unwrap();
            while let Ok(datagram) = session.read_datagram().await {
                session.send_datagram(datagram).unwrap();
            }
            if path == "/tidies-up" {
                begun.notify_one();
                go_on.notified().await;
            }
        });
        return Ok(reply(""));
    }
    match &path[..] {
        "/slow" => {
            begun.notify_one();
            go_on.notified().await;
            Ok(reply("slow"))
        }
        "/echo" => {
            let body = request.into_body().map_err(Into::into);
            Ok(Response::new(body.boxed_unsync()))
        }
        _ => Ok(reply("")),
    }
}

async fn ask(peer: &Raw, path: &str) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, recv) = peer.quic.open_bi().await.unwrap();
    send.write_all(&raw::request("GET", path, &[]))
        .await
        .unwrap();
    let _ = send.finish();
    (send, recv)
}

async fn ask_whole(peer: &Raw) -> String {
    let (_send, mut recv) = ask(peer, "/").await;
    raw::status(&raw::read_frame(&mut recv).await.1).to_owned()
}

/// Reads the next frame of a server's control stream, which is GOAWAY.
async fn goaway(control: &mut quinn::RecvStream) -> u64 {
    assert_eq!(raw::read_varint(control).await, GOAWAY);
    raw::read_varint(control).await;
    raw::read_varint(control).await
}
