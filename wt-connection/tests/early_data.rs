//! Connections that resume, and what is sent on them before the handshake is done.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::bounded::within;
use common::known::{Known, converse, fit, serve};
use common::path::{Way, stand_between};
use common::raw;
use common::serve::{BoxError, reply};
use common::{address, server_builder};
use http::Request;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::{ServiceExt, service_fn};
use wt_connection::{
    Body, ConnectError, ConnectionError, EarlyData, OpenError, PingError, Server, SessionRequest,
    Target,
};

#[tokio::test]
async fn a_session_that_may_be_processed_twice_goes_with_the_first_packet() {
    within(async {
        let known = Known::new(true).await;
        let client = known.connect().await;

        let early = client.open_early(fit()).await.unwrap();
        let mut stream = early.session().open_bi().await.unwrap();
        stream.send.write_all(b"question").await.unwrap();
        stream.send.finish().unwrap();
        early.session().send_datagram("datagram").unwrap();
        let (_server, request) = known.accept().await;

        assert!(is_early(&request));
        let session = request.accept().await.unwrap();
        let mut there = session.accept_bi().await.unwrap();
        assert_eq!(there.recv.read_to_end(10).await.unwrap(), b"question");
        assert_eq!(session.read_datagram().await.unwrap(), "datagram");
        there.send.write_all(b"answer").await.unwrap();
        there.send.finish().unwrap();
        assert_eq!(stream.recv.read_to_end(10).await.unwrap(), b"answer");
        let accepted = early.accepted().await.unwrap();
        converse(accepted.body(), &session).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_said_to_be_fit_waits_for_the_handshake() {
    within(async {
        let known = Known::new(true).await;
        let client = known.connect().await;

        let asked = Request::get("/").body(()).unwrap();
        let (early, (_server, request)) = tokio::join!(client.open_early(asked), known.accept());

        assert!(!is_early(&request));
        let session = request.accept().await.unwrap();
        let opened = early.unwrap().accepted().await.unwrap();
        converse(opened.body(), &session).await;
        // And so does what goes by the service.
        let (opened, (_server, request)) = {
            let client = known.connect().await;
            let open = async move { client.open("/").await };
            let opening = tokio::spawn(open);
            let (server, request) = known.accept().await;
            assert!(!is_early(&request));
            let session = request.accept().await.unwrap();
            (opening.await.unwrap().unwrap(), (server, session))
        };
        converse(&opened, &request).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_takes_no_early_data_is_connected_to_as_ever() {
    within(async {
        let known = Known::new(false).await;

        let (client, (_server, request)) = tokio::join!(
            async {
                let client = known.connect().await;
                client.open_early(fit()).await.unwrap()
            },
            known.accept()
        );

        assert!(!is_early(&request));
        let session = request.accept().await.unwrap();
        converse(client.accepted().await.unwrap().body(), &session).await;
    })
    .await;
}

#[tokio::test]
async fn early_data_that_is_not_asked_for_is_processed_behind_the_handshake() {
    within(async {
        // By a TLS configuration of its own, it takes it all the same.
        let known = Known::lasting(false).await;
        let client = known.connect().await;

        let early = client.open_early(fit()).await.unwrap();
        let mut uni = early.session().open_uni().await.unwrap();
        uni.write_all(b"early").await.unwrap();
        uni.finish().unwrap();
        let (_server, request) = known.accept().await;

        assert!(!is_early(&request));
        let session = request.accept().await.unwrap();
        let mut there = session.accept_uni().await.unwrap();
        assert_eq!(there.read_to_end(10).await.unwrap(), b"early");
        converse(early.accepted().await.unwrap().body(), &session).await;
    })
    .await;
}

/// Whoever has recorded the client's first packets can send them again, and no more.
#[tokio::test]
async fn before_the_handshake_is_done_a_server_processes_nothing_but_what_is_fit() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.early_data(true).bind().unwrap();
        let (calls, mut called) = mpsc::channel(8);
        let service = service_fn(move |request: Request<Body>| {
            let early = request.extensions().get::<EarlyData>().is_some();
            calls
                .try_send((request.uri().path().to_owned(), early))
                .unwrap();
            async { Ok::<_, BoxError>(reply("served")) }
        });
        let serving = tokio::spawn(Server::new(server.clone()).serve(service));
        let passing = Arc::new(AtomicBool::new(true));
        let path = withholding(address(&server), &passing).await;
        let (socket, config) = raw::resuming_client(&identity);
        let first = socket.connect_with(config.clone(), path, "localhost");
        let first = first.unwrap().await.unwrap();
        let first = raw::start(first, socket.clone(), &raw::ENABLED).await;
        let (mut send, mut recv) = first.quic.open_bi().await.unwrap();
        let request = raw::request("GET", "/first", &[]);
        send.write_all(&request).await.unwrap();
        send.finish().unwrap();
        // Ahead of the answer came the tickets.
        recv.read_to_end(1000).await.unwrap();
        assert_eq!(called.recv().await.unwrap(), ("/first".into(), false));
        drop(first);

        passing.store(false, Ordering::Relaxed);
        let second = socket.connect_with(config, path, "localhost").unwrap();
        let Ok((quic, _handshake)) = second.into_0rtt() else {
            panic!("it resumes");
        };
        let mut control = quic.open_uni().await.unwrap();
        let opening = [raw::varint(0), raw::settings(&raw::ENABLED)].concat();
        control.write_all(&opening).await.unwrap();
        let mut requests = Vec::new();
        for request in [
            raw::request("POST", "/plain", &[]),
            raw::connect("/session"),
        ] {
            let (mut send, recv) = quic.open_bi().await.unwrap();
            send.write_all(&request).await.unwrap();
            requests.push((send, recv));
        }

        assert_eq!(called.recv().await.unwrap(), ("/session".into(), true));
        let more = timeout(Duration::from_millis(200), called.recv()).await;
        assert!(more.is_err(), "{more:?}");
        passing.store(true, Ordering::Relaxed);
        assert_eq!(called.recv().await.unwrap(), ("/plain".into(), false));
        serving.abort();
    })
    .await;
}

/// A server at that address may be gone, and the client's idle timeout be long or none.
#[tokio::test]
async fn a_handshake_takes_no_longer_than_a_connection_may() {
    within(async {
        let known = Known::new(true).await;
        let passing = Arc::new(AtomicBool::new(true));
        let pass = Arc::clone(&passing);
        let path = stand_between(address(&known.server), move |packet, _| {
            let passes = pass.load(Ordering::Relaxed);
            passes.then(|| packet.to_vec()).into_iter().collect()
        })
        .await;
        let _served = tokio::spawn(serve(known.server.clone()));
        let target = || Target::from(path).server_name("localhost");
        let connector = known.connector.clone().max_idle_timeout(None);
        let first = connector.clone().oneshot(target()).await.unwrap();
        // Ahead of the answer came the tickets.
        first.open("/").await.unwrap();

        passing.store(false, Ordering::Relaxed);
        let connector = connector.connect_timeout(Duration::from_millis(100));
        let client = connector.clone().oneshot(target()).await.unwrap();
        let early = client.open_early(fit()).await.unwrap();

        let ping = client.ping(Duration::from_secs(60));
        let (opened, pinged) = tokio::join!(client.open("/"), ping);
        assert!(
            matches!(
                pinged,
                Err(PingError::Connection(ConnectionError::TimedOut))
            ),
            "{pinged:?}"
        );
        assert!(
            matches!(
                opened,
                Err(OpenError::Connection(ConnectionError::TimedOut))
            ),
            "{opened:?}"
        );
        assert!(matches!(
            early.accepted().await,
            Err(OpenError::Connection(ConnectionError::TimedOut))
        ));
        assert_eq!(client.closed().await, ConnectionError::TimedOut);
        // It is not known any more.
        let again = connector.oneshot(target()).await;
        assert!(matches!(again, Err(ConnectError::TimedOut)));
    })
    .await;
}

fn is_early(request: &SessionRequest) -> bool {
    request.request().extensions().get::<EarlyData>().is_some()
}

/// A path on which a client cannot end its handshake, unless all is `passing`.
async fn withholding(server: SocketAddr, passing: &Arc<AtomicBool>) -> SocketAddr {
    let passing = Arc::clone(passing);
    let mut answered = false;
    stand_between(server, move |packet, way| {
        let all = passing.load(Ordering::Relaxed);
        // Others than those of a connection before have long headers.
        let answers = way == Way::Down && packet[0] & 0x80 != 0;
        answered = !all && (answered || answers);
        let is_early_data = packet[0] & 0xb0 == 0x90;
        // Behind the answer, an Initial may have the end of the handshake in its packet.
        if all || way == Way::Down || is_early_data || !answered {
            vec![packet.to_vec()]
        } else {
            Vec::new()
        }
    })
    .await
}
