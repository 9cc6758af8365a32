//! What is said of subprotocols on the wire, to a server and to a client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::flow::credit;
use common::raw::{self, ENABLED, H3_MESSAGE_ERROR, Raw};
use common::server_builder;
use http::{Request, Response};
use tower::ServiceExt;
use wt_connection::{Connection, Generation, Limits, OpenError, Protocols, Session};

const OFFER: &str = "wt-available-protocols";
const CHOICE: &str = "wt-protocol";

#[tokio::test]
async fn a_server_reads_every_form_of_an_offer() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;

        for (lines, expected) in [
            (&["\"a\", \"b\""][..], &["a", "b"][..]),
            (&["a, b"], &["a", "b"]),
            (&["a;x=1;y", "\"b\";z=:AQI=:"], &["a", "b"]),
            (&[""], &[]),
            (&["a, 1"], &[]),
            (&["a, (b)"], &[]),
            (&["a", "\"b"], &[]),
            (&["a,"], &[]),
            (&["\u{e9}"], &[]),
        ] {
            let (mut send, _recv) = peer.connect_stream().await;
            send.write_all(&connect_with(lines)).await.unwrap();

            let request = server.accept().await.unwrap();

            assert_eq!(request.protocols(), expected, "{lines:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_chooses_of_tokens_in_a_token() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&connect_with(&["chat.v2, chat.v1"]))
            .await
            .unwrap();

        let request = server.accept().await.unwrap();
        let session = request.select_protocol(["chat.v1"]).accept().await.unwrap();

        assert_eq!(session.protocol(), Some("chat.v1"));
        let (_, block) = raw::read_frame(&mut recv).await;
        assert!(block.ends_with(b"\x07chat.v1"), "{block:x?}");
    })
    .await;
}

#[tokio::test]
async fn a_client_offers_tokens_to_servers_of_drafts_that_have_no_strings() {
    within(async {
        const OLDEST: (u64, u64) = (0x2b60_3742, 1);
        const STRINGS: &str = r#""v2", "v1""#;
        for (settings, expected) in [
            (&[OLDEST][..], STRINGS),
            (&[OLDEST, (0xc671_706a, 9)], STRINGS),
            (&[(0xc671_706a, 9)], "v2, v1"),
            (&[(0x14e9_cd29, 9)], STRINGS),
            (&[(0x2c7c_f000, 1)], STRINGS),
        ] {
            let settings = [&[(0x08, 1), (0x33, 1)], settings].concat();
            let (peer, client, _connector) = raw::server(&settings).await;
            let opening = tokio::spawn(client.clone().oneshot(offering_two()));

            let (_send, mut recv) = peer.quic.accept_bi().await.unwrap();
            let (_, block) = raw::read_frame(&mut recv).await;

            let length = u8::try_from(expected.len()).unwrap();
            let value = [&[length], expected.as_bytes()].concat();
            let sent = block.windows(value.len()).any(|window| window == value);
            assert!(sent, "{expected} in {block:x?}");
            opening.abort();
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_reads_every_form_of_a_choice() {
    within(async {
        let (peer, client, _connector) = server().await;

        for (lines, expected) in [
            (&["\"v1\""][..], Some("v1")),
            (&["v1"], Some("v1")),
            (&["\"v2\";x=1"], Some("v2")),
            (&["v2;x=\"y\""], Some("v2")),
            (&[""], None),
            (&["17"], None),
            (&["\"v1"], None),
            (&["v3 v4"], None),
            (&["v3", "v3"], None),
            (&["(\"v3\")"], None),
            (&["\u{e9}"], None),
            (&[], None),
        ] {
            let (opened, _streams) = opened(&peer, &client, offering_two(), lines).await;

            let session = opened.unwrap().into_body();
            assert_eq!(session.protocol(), expected, "{lines:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn since_draft_13_whatever_is_no_string_is_as_good_as_absent() {
    within(async {
        for enabled in [(0x14e9_cd29, 2), (0x2c7c_f000, 1)] {
            let settings = [&ENABLED[..], &[enabled], &credit(100, 9, 9)].concat();
            let (identity, builder) = server_builder();
            let endpoint = builder.bind().unwrap();
            let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
            let connect = async {
                let (quic, socket) = raw::quic_client(&endpoint, &identity).await;
                raw::start(quic, socket, &settings).await
            };
            let (there, peer) = tokio::join!(accept, connect);
            for (lines, expected) in [
                (&["\"v2\", \"v1\";x=1"][..], &["v2", "v1"][..]),
                (&["v2, v1"], &[]),
                (&["\"v2\", v1"], &[]),
                (&["v2", "\"v1\""], &[]),
            ] {
                let (mut send, mut recv) = peer.connect_stream().await;
                send.write_all(&connect_with(lines)).await.unwrap();
                let request = there.accept().await.unwrap();
                assert_eq!(request.protocols(), expected, "{enabled:x?} {lines:?}");
                // The session itself is as any other.
                let session = request.select_protocol(["v1"]).accept().await.unwrap();
                assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
                assert_eq!(session.protocol().is_some(), !expected.is_empty());
            }

            let (peer, client, _connector) = raw::server(&settings).await;
            for (chosen, expected) in [("\"v1\"", Some("v1")), ("v1", None), ("v3", None)] {
                let (opened, _streams) = opened(&peer, &client, offering_two(), &[chosen]).await;
                let session = opened.unwrap().into_body();
                assert_eq!(session.protocol(), expected, "{enabled:x?} {chosen}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_choice_that_was_not_offered_aborts_the_session() {
    within(async {
        let (peer, client, _connector) = server().await;

        for (request, wrong) in [
            (offering_two(), "\"v3\""),
            (offering_two(), "v3;x=1"),
            (offering_two(), "\"V1\""),
            (Request::get("/").body(()).unwrap(), "\"v1\""),
        ] {
            let (opened, (send, mut recv)) = opened(&peer, &client, request, &[wrong]).await;

            match opened {
                Err(OpenError::WrongProtocol(name)) => assert!(wrong.contains(&name)),
                other => panic!("{wrong}: {other:?}"),
            }
            // The codes of drafts before 15 have none of its own.
            let code = quinn::VarInt::from_u64(H3_MESSAGE_ERROR).unwrap();
            assert_eq!(send.stopped().await, Ok(Some(code)));
            assert_eq!(reset_code(&mut recv).await, code);
        }
        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn since_draft_15_a_choice_that_was_not_offered_has_a_code_of_its_own() {
    within(async {
        let settings = [&ENABLED[..], &[(0x2c7c_f000, 1)]].concat();
        let (peer, client, _connector) = raw::server(&settings).await;
        assert_eq!(client.generation(), Generation::Draft15);

        let request = offering_two();
        let (opened, (send, mut recv)) = opened(&peer, &client, request, &["\"v3\""]).await;

        assert!(matches!(opened, Err(OpenError::WrongProtocol(name)) if name == "v3"));
        let code = quinn::VarInt::from_u64(WT_ALPN_ERROR).unwrap();
        assert_eq!(send.stopped().await, Ok(Some(code)));
        assert_eq!(reset_code(&mut recv).await, code);
        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_session_aborted_for_its_protocol_makes_room() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        assert_eq!(client.max_sessions(), 1);

        let (wrong, _streams) = opened(&peer, &client, offering_two(), &["v3"]).await;
        assert!(wrong.is_err());

        let (next, _streams) = opened(&peer, &client, offering_two(), &["v1"]).await;
        assert_eq!(next.unwrap().body().protocol(), Some("v1"));
    })
    .await;
}

#[tokio::test]
async fn a_rejection_may_name_any_protocol() {
    within(async {
        let (peer, client, _connector) = server().await;

        let opening = client.oneshot(offering_two());
        let answer = raw::headers(&[(":status", "404"), (CHOICE, "\"v3\"")]);
        let (opened, _streams) = tokio::join!(opening, respond(&peer, &answer));

        assert!(matches!(opened, Err(OpenError::Rejected(_))), "{opened:?}");
    })
    .await;
}

type Streams = (quinn::SendStream, quinn::RecvStream);
type Opened = Result<Response<Session>, OpenError>;

fn offering_two() -> Request<()> {
    let protocols = Protocols::new(["v2", "v1"]);
    Request::get("/").extension(protocols).body(()).unwrap()
}

/// A raw client's CONNECT with these lines of an offer.
fn connect_with(lines: &[&str]) -> Vec<u8> {
    let mut fields = vec![
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/"),
    ];
    fields.extend(lines.iter().map(|line| (OFFER, *line)));
    raw::headers(&fields)
}

/// A raw server that admits many sessions, and a client of ours.
async fn server() -> (Raw, Connection, wt_connection::Connector) {
    raw::server(&[&ENABLED[..], &[(0xc671_706a, 99)]].concat()).await
}

/// Asks a raw server for a session, which accepts it with these lines of a choice.
async fn opened(
    peer: &Raw,
    client: &Connection,
    request: Request<()>,
    lines: &[&str],
) -> (Opened, Streams) {
    let mut fields = vec![(":status", "200")];
    fields.extend(lines.iter().map(|line| (CHOICE, *line)));
    let answer = raw::headers(&fields);
    tokio::join!(client.clone().oneshot(request), respond(peer, &answer))
}

async fn respond(peer: &Raw, answer: &[u8]) -> Streams {
    let (mut send, mut recv) = peer.quic.accept_bi().await.unwrap();
    raw::read_frame(&mut recv).await;
    send.write_all(answer).await.unwrap();
    (send, recv)
}

async fn reset_code(recv: &mut quinn::RecvStream) -> quinn::VarInt {
    match recv.read_chunk(1, true).await {
        Err(quinn::ReadError::Reset(code)) => code,
        other => panic!("not reset: {other:?}"),
    }
}

const WT_ALPN_ERROR: u64 = 0x0817_b3dd;
