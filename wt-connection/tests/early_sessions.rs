//! Sessions that are used before the server has accepted them.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::plain::Exchange;
use common::raw::{self, ENABLED, H3_REQUEST_CANCELLED, SESSION_GONE, reset_code};
use common::{Pair, connected};
use http::{Request, StatusCode};
use wt_connection::{OpenError, Protocols, SessionError};

#[tokio::test]
async fn what_is_sent_early_arrives_with_the_session() {
    within(async {
        let Pair { client, server, .. } = &connected().await;

        let early = client.open_early(get()).await.unwrap();
        let mut stream = early.session().open_bi().await.unwrap();
        stream.send.write_all(b"question").await.unwrap();
        stream.send.finish().unwrap();
        early.session().send_datagram(b"datagram").unwrap();
        let request = server.accept().await.unwrap();
        let accepted = request.accept().await.unwrap();

        let mut there = accepted.accept_bi().await.unwrap();
        assert_eq!(there.recv.read_to_end(100).await.unwrap(), b"question");
        assert_eq!(accepted.read_datagram().await.unwrap(), "datagram");
        there.send.write_all(b"answer").await.unwrap();
        there.send.finish().unwrap();
        assert_eq!(stream.recv.read_to_end(100).await.unwrap(), b"answer");
        let response = early.accepted().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.body().close(7, "over");
        let SessionError::ClosedByPeer(close) = accepted.closed().await else {
            panic!("not closed by the client");
        };
        assert_eq!(close.code(), 7);
    })
    .await;
}

#[tokio::test]
async fn the_subprotocol_is_known_once_it_is_accepted() {
    within(async {
        let Pair { client, server, .. } = &connected().await;
        let offer = Protocols::new(["b", "a"]);
        let request = Request::get("/").extension(offer).body(()).unwrap();

        let early = client.open_early(request).await.unwrap();
        assert_eq!(early.session().protocol(), None);
        let request = server.accept().await.unwrap().select_protocol(["a"]);
        let _accepted = request.accept().await.unwrap();

        let session = early.accepted().await.unwrap().into_body();
        assert_eq!(session.protocol(), Some("a"));
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_to_a_server_that_does_not_accept_is_reset() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        let early = client.open_early(get()).await.unwrap();
        let mut exchange = Exchange::accept(&peer).await;
        let mut stream = early.session().open_bi().await.unwrap();
        stream.send.write_all(b"question").await.unwrap();
        let (_send, mut recv) = peer.quic.accept_bi().await.unwrap();
        exchange.end(&raw::response("404")).await;

        let session = early.session().clone();
        match early.accepted().await {
            Err(OpenError::Rejected(response)) => assert_eq!(response.status(), 404),
            other => panic!("not rejected: {other:?}"),
        }
        assert_eq!(session.closed().await, SessionError::NotAccepted);
        let header_then_reset = recv.read_to_end(100).await;
        assert!(matches!(
            header_then_reset,
            Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code)))
                if code.into_inner() == SESSION_GONE
        ));
        assert!(stream.send.write(b"more").await.is_err());
        // There is room for the next.
        let next = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.write(&raw::response("200")).await;
            exchange
        };
        let (session, _exchange) = tokio::join!(client.open("/"), next);
        session.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_closed_before_the_answer_is_given_up() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        let early = client.open_early(get()).await.unwrap();
        let mut exchange = Exchange::accept(&peer).await;
        early.session().close(7, "no more");

        assert_eq!(reset_code(&mut exchange.recv).await, H3_REQUEST_CANCELLED);
        let session = early.session().clone();
        assert!(matches!(
            early.accepted().await,
            Err(OpenError::Connection(_))
        ));
        assert!(matches!(session.closed().await, SessionError::Closed(close) if close.code() == 7));
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_and_dropped_before_the_answer_arrives() {
    within(async {
        let Pair { client, server, .. } = &connected().await;

        let early = client.open_early(get()).await.unwrap();
        let mut stream = early.session().open_uni().await.unwrap();
        stream.write_all(b"news").await.unwrap();
        drop(stream);
        drop(early);
        let accepted = server.accept().await.unwrap().accept().await.unwrap();

        let mut news = accepted.accept_uni().await.unwrap();
        assert_eq!(news.read_to_end(100).await.unwrap(), b"news");
        assert!(accepted.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_answer_ends_the_session() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        let early = client.open_early(get()).await.unwrap();
        let _exchange = Exchange::accept(&peer).await;
        let session = early.session().clone();
        peer.quic.close(0x100_u16.into(), b"");

        assert!(matches!(
            session.closed().await,
            SessionError::Connection(_)
        ));
        assert!(matches!(
            early.accepted().await,
            Err(OpenError::Connection(_))
        ));
    })
    .await;
}

fn get() -> Request<()> {
    Request::get("/").body(()).unwrap()
}
