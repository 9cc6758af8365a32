//! Requests whose connection ends before they do, and connections that requests keep.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::{Pin, pin};
use std::time::Duration;

use common::bounded::{once, until, within};
use common::plain::{
    Answer, Channel, Exchange, any, ask, bytes, feed, get, next, post, ready, served,
};
use common::raw::{self, ENABLED, H3_NO_ERROR, Raw};
use common::{connections, connector, server_builder};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tower::{Service, ServiceExt};
use wt_connection::{
    Body, BodyError, Connection, ConnectionError, ConnectionState, Connector, Endpoint, OpenError,
    RequestError, Requesting, Transport,
};

#[tokio::test]
async fn requests_that_the_server_closes_on_say_with_what() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (asking, _asked) = started(&client, &peer).await;
        let (mut body, mut reading) = begun(&client, &peer).await;
        reading.write(&raw::data(b"content")).await;
        assert_eq!(next(&mut body).await, "content");

        peer.quic.close(0x102u16.into(), b"bye");

        let expected = ConnectionError::ClosedByPeer {
            code: 0x102,
            reason: "bye".into(),
        };
        assert_eq!(lost(asking.await), expected);
        assert_eq!(broken(body).await, expected);
        assert_eq!(client.closed().await, expected);
        assert_eq!(lost(ask(&client, get("/")).await), expected);
        let Err(RequestError::Connection(error)) = ready(&mut client.http()).await else {
            panic!("a connection that is over is ready");
        };
        assert_eq!(error, expected);
    })
    .await;
}

#[tokio::test]
async fn requests_that_this_side_closes_on_say_so() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (asking, _asked) = started(&client, &peer).await;
        let (body, _reading) = begun(&client, &peer).await;

        client.close(0, "").await;

        assert_eq!(lost(asking.await), ConnectionError::Closed);
        assert_eq!(broken(body).await, ConnectionError::Closed);
        let refused = ask(&client, get("/")).await;
        assert_eq!(lost(refused), ConnectionError::Closed);
    })
    .await;
}

#[tokio::test]
async fn requests_on_a_connection_that_breaks_the_rules_say_which() {
    within(async {
        let (mut peer, client, _connector) = raw::server(&ENABLED).await;
        let (asking, _asked) = started(&client, &peer).await;
        let (body, _reading) = begun(&client, &peer).await;

        peer.control.finish().unwrap();

        let expected = client.closed().await;
        assert!(matches!(expected, ConnectionError::Protocol { .. }));
        assert_eq!(lost(asking.await), expected);
        assert_eq!(broken(body).await, expected);
    })
    .await;
}

#[tokio::test]
async fn requests_of_a_server_that_falls_silent_time_out() {
    within(async {
        let (socket, connector, target) = raw::raw_server();
        let connector = connector
            .max_idle_timeout(Some(Duration::from_millis(300)))
            .keep_alive_interval(None);
        let accept = async {
            let quic = socket.accept().await.unwrap().await.unwrap();
            raw::start(quic, socket.clone(), &ENABLED).await
        };
        let (client, peer) = tokio::join!(connector.oneshot(target), accept);
        let client = client.unwrap();
        let (asking, _asked) = started(&client, &peer).await;
        let (body, _reading) = begun(&client, &peer).await;

        assert_eq!(lost(asking.await), ConnectionError::TimedOut);
        assert_eq!(broken(body).await, ConnectionError::TimedOut);
        assert_eq!(client.state(), ConnectionState::Failed);
    })
    .await;
}

#[tokio::test]
async fn requests_that_wait_for_a_stream_learn_how_the_connection_ends() {
    // They were told that it was draining.
    within(async {
        for by_peer in [true, false] {
            let crowded = Crowded::connect().await;
            let mut requesting = crowded.client.http().call(get("/"));
            assert!(once(Pin::new(&mut requesting)).await.is_none());
            let mut opening = pin!(crowded.client.open("/"));
            assert!(once(opening.as_mut()).await.is_none());

            if by_peer {
                crowded.server.close(0, "").await;
            } else {
                crowded.client.close(0, "").await;
            }

            let ended = crowded.client.closed().await;
            assert_eq!(lost(requesting.await), ended);
            match opening.await {
                Err(OpenError::Connection(error)) => assert_eq!(error, ended),
                other => panic!("not lost: {other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn requests_that_wait_for_a_stream_learn_that_the_connection_drains() {
    within(async {
        let crowded = Crowded::connect().await;
        let mut requesting = crowded.client.http().call(get("/"));
        assert!(once(Pin::new(&mut requesting)).await.is_none());

        crowded.client.drain();

        assert!(matches!(requesting.await, Err(RequestError::Draining)));
    })
    .await;
}

#[tokio::test]
async fn a_service_and_a_response_keep_their_connection_open() {
    within(async {
        let (see, mut seen) = mpsc::channel(1);
        let connection = served(echo(see)).await;
        let mut http = connection.http();
        drop(connection);
        let (send, body) = Channel::new();

        let response = http.call(post("/", body)).await.unwrap();
        let server = seen.recv().await.unwrap();
        drop(http);
        let mut echoed = response.into_body();
        for _ in 0..10 {
            feed(&send, "content").await;
            assert_eq!(next(&mut echoed).await, "content");
        }
        assert_eq!(server.state(), ConnectionState::Connected);
        drop(echoed);

        assert!(server.closed().await.is_orderly());
        send.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_under_way_keeps_its_connection_open() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (asking, mut exchange) = started(&client, &peer).await;

        drop(client);
        let answer = [raw::response("200"), raw::data(b"content")].concat();
        exchange.end(&answer).await;

        let response = asking.await.unwrap();
        assert_eq!(bytes(response.into_body()).await, "content");
        assert_eq!(peer.close_code().await, H3_NO_ERROR);
    })
    .await;
}

#[tokio::test]
async fn a_response_read_to_its_end_keeps_no_connection_open() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (mut body, mut exchange) = begun(&client, &peer).await;
        exchange.end(b"").await;
        assert!(body.frame().await.is_none());

        drop(client);

        assert_eq!(peer.close_code().await, H3_NO_ERROR);
        drop(body);
    })
    .await;
}

#[tokio::test]
async fn a_request_still_being_sent_keeps_no_connection_open() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let mut asking = client.http().call(post("/", body));
        assert!(once(Pin::new(&mut asking)).await.is_none());
        let mut exchange = Exchange::accept(&peer).await;
        exchange.end(&raw::response("200")).await;
        let response = asking.await.unwrap();
        assert_eq!(bytes(response.into_body()).await, "");
        assert!(!send.is_closed());

        drop(client);

        send.closed().await;
        assert_eq!(peer.close_code().await, H3_NO_ERROR);
    })
    .await;
}

#[tokio::test]
async fn no_task_outlives_the_last_request() {
    within(async {
        {
            let (peer, client, _connector) = raw::server(&ENABLED).await;
            let (_asking, _asked) = started(&client, &peer).await;
            let (_body, _reading) = begun(&client, &peer).await;
            let (_send, body) = Channel::new();
            let mut asking = client.http().call(post("/", body));
            assert!(once(Pin::new(&mut asking)).await.is_none());
            let mut exchange = Exchange::accept(&peer).await;
            exchange.end(&raw::response("200")).await;
            drop(bytes(asking.await.unwrap().into_body()).await);
        }

        until(|| Handle::current().metrics().num_alive_tasks() == 0).await;
    })
    .await;
}

/// A connection on which the client has taken every stream that the server admits.
struct Crowded {
    client: Connection,
    server: Connection,
    _streams: Vec<(quinn::SendStream, quinn::RecvStream)>,
    /// Their sockets stay open.
    _endpoints: (Endpoint, Connector),
}

impl Crowded {
    async fn connect() -> Self {
        let (identity, builder) = server_builder();
        let transport = Transport::default().max_bi_streams(1);
        let endpoint = builder.transport(transport).bind().unwrap();
        let connector = connector(&identity);
        let (client, server) = connections(&endpoint, &connector).await;
        let mut streams = Vec::new();
        while let Some(opened) = once(pin!(client.quic().open_bi())).await {
            streams.push(opened.unwrap());
        }
        Self {
            client,
            server,
            _streams: streams,
            _endpoints: (endpoint, connector),
        }
    }
}

/// Echoes each request, and shows the connection that it came by.
fn echo(
    see: mpsc::Sender<Connection>,
) -> impl FnMut(Request<Body>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Clone {
    move |request| {
        let see = see.clone();
        Box::pin(async move {
            let connection = request.extensions().get::<Connection>().unwrap();
            see.send(connection.clone()).await.unwrap();
            Ok(Response::new(any(request.into_body())))
        })
    }
}

/// A request that has arrived, and is not answered.
async fn started(client: &Connection, peer: &Raw) -> (Requesting, Exchange) {
    let mut asking = client.http().call(get("/"));
    assert!(once(Pin::new(&mut asking)).await.is_none());
    (asking, Exchange::accept(peer).await)
}

/// A response that has begun, with nothing of its content.
async fn begun(client: &Connection, peer: &Raw) -> (Body, Exchange) {
    let (asking, mut exchange) = started(client, peer).await;
    exchange.write(&raw::response("200")).await;
    (asking.await.unwrap().into_body(), exchange)
}

/// What ended the connection of a request.
fn lost(response: Result<Response<Body>, RequestError>) -> ConnectionError {
    match response {
        Err(RequestError::Connection(error)) => error,
        other => panic!("not lost: {other:?}"),
    }
}

/// What ended the connection of a response.
async fn broken(mut body: Body) -> ConnectionError {
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(body.frame().await.is_none(), "nothing follows an error");
    match error {
        BodyError::Connection(error) => error,
        other => panic!("not lost: {other}"),
    }
}
