//! Requests on a connection that one side drains.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::{Pin, pin};

use common::bare::{WEBTRANSPORT, goaway};
use common::bounded::{cancel, once, within};
use common::plain::{
    Channel, Exchange, ask, bytes, converse, feed, full, get, next, post, ready, served, session,
};
use common::raw;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::Service;
use wt_connection::{Body, Connection, ConnectionState, OpenError, RequestError, Upgrade};

#[tokio::test]
async fn a_goaway_tells_which_requests_were_not_processed() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut asking: Vec<_> = (0..4).map(|_| Box::pin(ask(&client, get("/")))).collect();
        let mut exchanges = Vec::new();
        for asking in &mut asking {
            assert!(once(asking.as_mut()).await.is_none());
            exchanges.push(Exchange::accept(&peer).await);
        }

        let first = exchanges[2].send.id();
        peer.control.write_all(&goaway(first.into())).await.unwrap();

        for asking in asking.drain(2..) {
            assert!(matches!(asking.await, Err(RequestError::Draining)));
        }
        for (asking, exchange) in asking.into_iter().zip(&mut exchanges) {
            let answer = [raw::response("200"), raw::data(b"content")].concat();
            exchange.end(&answer).await;
            assert_eq!(bytes(asking.await.unwrap().into_body()).await, "content");
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_goaway_leaves_out_is_cancelled() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let (feed, body) = Channel::new();
        let mut asking = pin!(ask(&client, post("/", body)));
        assert!(once(asking.as_mut()).await.is_none());
        let mut exchange = Exchange::accept(&peer).await;

        peer.control.write_all(&goaway(0)).await.unwrap();
        let unprocessed = asking.await;

        assert!(matches!(unprocessed, Err(RequestError::Draining)));
        exchange.reset().await;
        exchange.stopped().await;
        feed.closed().await;
    })
    .await;
}

#[tokio::test]
async fn no_request_is_sent_after_a_goaway() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut readied = client.http();
        ready(&mut readied).await.unwrap();
        let (response, mut exchange) = begun(&client, &peer).await;

        peer.control.write_all(&goaway(LAST)).await.unwrap();
        drained(&client).await;

        let called = readied.call(get("/")).await;
        assert!(matches!(called, Err(RequestError::Draining)));
        let unready = ready(&mut readied).await;
        assert!(matches!(unready, Err(RequestError::Draining)));
        cancel(peer.quic.accept_bi()).await;
        exchange.end(&raw::data(b"content")).await;
        assert_eq!(bytes(response.into_body()).await, "content");
    })
    .await;
}

#[tokio::test]
async fn a_request_called_before_a_goaway_and_polled_behind_it_is_not_sent() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let requesting = client.http().call(get("/"));

        peer.control.write_all(&goaway(LAST)).await.unwrap();
        drained(&client).await;

        assert!(matches!(requesting.await, Err(RequestError::Draining)));
        cancel(peer.quic.accept_bi()).await;
    })
    .await;
}

#[tokio::test]
async fn a_request_within_a_goaway_sends_the_rest_of_its_body() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let (send, body) = Channel::new();
        let mut asking = Box::pin(ask(&client, post("/", body)));
        assert!(once(asking.as_mut()).await.is_none());
        let mut exchange = Exchange::accept(&peer).await;

        peer.control.write_all(&goaway(4)).await.unwrap();
        drained(&client).await;
        let fill = async {
            feed(&send, "content").await;
            drop(send);
            let sent = exchange.recv.read_to_end(100).await.unwrap();
            exchange.end(&raw::response("200")).await;
            sent
        };
        let (response, sent) = tokio::join!(asking, fill);

        assert_eq!(response.unwrap().status(), 200);
        assert_eq!(sent, raw::data(b"content"));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_drains_says_goaway() {
    within(async {
        let (peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut control = peer.quic.accept_uni().await.unwrap();
        raw::read_settings(&mut control).await;
        let (session, mut connect) = session(&client, &peer).await;
        let (response, mut exchange) = begun(&client, &peer).await;

        client.drain();

        assert_eq!(client.state(), ConnectionState::Draining);
        assert_eq!(raw::read_frame(&mut control).await, (GOAWAY, vec![0]));
        let (ty, capsule) = raw::read_frame(&mut connect.recv).await;
        assert_eq!((ty, &capsule[..]), (0, &raw::drain_capsule()[..]));
        let unready = ready(&mut client.http()).await;
        assert!(matches!(unready, Err(RequestError::Draining)));
        let unready = client.clone().ready().await.map(drop);
        assert!(matches!(unready, Err(OpenError::Draining)));
        converse(&session, &connect, &peer).await;
        exchange.end(&raw::data(b"content")).await;
        assert_eq!(bytes(response.into_body()).await, "content");
    })
    .await;
}

#[tokio::test]
async fn what_is_open_goes_on_though_the_client_drains() {
    within(async {
        let connection = served(async |mut request: Request<Body>| {
            if let Some(upgrade) = Upgrade::of(&mut request) {
                let session = upgrade.session();
                upgrade.spawn(async move {
                    let session = session.await.unwrap();
                    session.draining().await;
                    session.send_datagram("told").unwrap();
                    session.closed().await;
                });
                return Ok(Response::new(full("")));
            }
            Ok(Response::new(common::plain::any(request.into_body())))
        });
        let connection = connection.await;
        let session = connection.open("/").await.unwrap();
        let (send, body) = Channel::new();
        let response = ask(&connection, post("/", body)).await.unwrap();
        let mut echoed = response.into_body();

        connection.drain();

        assert_eq!(session.read_datagram().await.unwrap(), "told");
        for number in 0..10 {
            let chunk = format!("chunk {number}");
            feed(&send, chunk.clone()).await;
            assert_eq!(next(&mut echoed).await, chunk);
        }
        drop(send);
        assert!(echoed.frame().await.is_none());
        let _stream = session.open_uni().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_server_that_drains_completes_what_it_has_taken() {
    within(async {
        let (drain, mut draining) = tokio::sync::mpsc::channel(1);
        let connection = served(move |request: Request<Body>| {
            let drain = drain.clone();
            async move {
                let server = request.extensions().get::<Connection>().unwrap();
                drain.send(server.clone()).await.unwrap();
                Ok(Response::new(common::plain::any(request.into_body())))
            }
        });
        let connection = connection.await;
        let (send, body) = Channel::new();
        let response = ask(&connection, post("/", body)).await.unwrap();
        let mut echoed = response.into_body();
        let server = draining.recv().await.unwrap();

        server.drain();
        drained(&connection).await;
        let refused = ask(&connection, get("/")).await;

        assert!(matches!(refused, Err(RequestError::Draining)));
        feed(&send, "content").await;
        assert_eq!(next(&mut echoed).await, "content");
        drop(send);
        assert!(echoed.frame().await.is_none());
    })
    .await;
}

/// Waits until the client knows that it is to send no more.
async fn drained(client: &Connection) {
    let mut states = client.states();
    let draining = states.wait_for(|state| *state == ConnectionState::Draining);
    draining.await.unwrap();
}

/// A request whose response has begun, with nothing of its content.
async fn begun(client: &Connection, peer: &raw::Raw) -> (Response<Body>, Exchange) {
    let mut asking = client.http().call(get("/"));
    assert!(once(Pin::new(&mut asking)).await.is_none());
    let mut exchange = Exchange::accept(peer).await;
    exchange.write(&raw::response("200")).await;
    (asking.await.unwrap(), exchange)
}

const GOAWAY: u64 = 0x07;
/// The last request that there can be.
const LAST: u64 = (1 << 62) - 4;
