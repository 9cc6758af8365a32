//! A server's bytes on the wire, and what it makes of a raw client's.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::raw::{
    self, ENABLED, H3_CLOSED_CRITICAL_STREAM, H3_MESSAGE_ERROR, H3_MISSING_SETTINGS,
    H3_REQUEST_INCOMPLETE, H3_REQUEST_REJECTED, H3_STREAM_CREATION_ERROR, Raw,
};
use common::server_builder;
use wt_connection::{Connection, Endpoint, Limits};

#[tokio::test]
async fn the_settings_announce_every_generation() {
    within(async {
        let (_endpoint, peer, _server) = raw::client(Limits::default().max_sessions(9)).await;

        let mut control = peer.quic.accept_uni().await.unwrap();
        let settings = raw::read_settings(&mut control).await;

        for expected in [
            (0x08, 1),
            (0x33, 1),
            (0x2b60_3742, 1),
            (0x3c48_d522, 1),
            (0xc671_706a, 9),
            (0x14e9_cd29, 9),
            (0x2c7c_f000, 1),
            (0x2b61, 8 << 20),
            (0x2b64, 1024),
            (0x2b65, 1024),
        ] {
            assert!(
                settings.contains(&expected),
                "{expected:x?} in {settings:x?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn without_flow_control_one_session_is_announced_to_drafts_that_want_it() {
    within(async {
        let limits = Limits::default().max_sessions(9).without_flow_control();
        let (_endpoint, peer, _server) = raw::client(limits).await;

        let mut control = peer.quic.accept_uni().await.unwrap();
        let settings = raw::read_settings(&mut control).await;

        for expected in [(0xc671_706a, 9), (0x14e9_cd29, 1), (0x2c7c_f000, 1)] {
            assert!(
                settings.contains(&expected),
                "{expected:x?} in {settings:x?}"
            );
        }
        for (id, _) in settings {
            assert!(![0x2b61, 0x2b64, 0x2b65].contains(&id), "{id:x}");
        }
    })
    .await;
}

#[tokio::test]
async fn both_names_of_the_protocol_are_accepted() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        for protocol in ["webtransport", "webtransport-h3"] {
            let (mut send, mut recv) = peer.connect_stream().await;
            let connect = raw::connect_by(protocol, "/path");
            send.write_all(&connect).await.unwrap();

            let request = server.accept().await.unwrap();
            assert_eq!(request.uri().path(), "/path");
            let _session = request.accept().await.unwrap();

            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_beyond_the_limit_is_refused_unprocessed() {
    within(async {
        let peer = raw::session(Limits::default().max_sessions(1)).await;

        let (mut send, mut recv) = peer.peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();

        assert_eq!(reset_code(&mut recv).await, H3_REQUEST_REJECTED);
        peer.peer.datagram(peer.id(), b"alive");
        assert_eq!(peer.session.read_datagram().await.unwrap(), "alive");
    })
    .await;
}

#[tokio::test]
async fn a_connect_that_is_malformed_costs_its_stream_alone() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let whole = [
            (":method", "CONNECT"),
            (":protocol", "webtransport"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/"),
        ];
        for missing in [":scheme", ":authority", ":path"] {
            let fields: Vec<_> = whole
                .into_iter()
                .filter(|field| field.0 != missing)
                .collect();
            let code = refused(&peer, &raw::headers(&fields)).await;
            assert_eq!(code, H3_MESSAGE_ERROR, "no {missing}");
        }
        for wrong in [("Upper", "case"), ("connection", "close"), (":late", "x")] {
            let fields = [&whole[..], &[wrong]].concat();
            let code = refused(&peer, &raw::headers(&fields)).await;
            assert_eq!(code, H3_MESSAGE_ERROR, "{wrong:?}");
        }
        assert_lives(&peer, &server).await;
    })
    .await;
}

#[tokio::test]
async fn a_connect_for_another_protocol_is_answered_and_the_connection_lives() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;

        for protocol in ["websocket", "connect-udp", "nonsense"] {
            let (mut send, mut recv) = peer.connect_stream().await;
            let connect = raw::connect_by(protocol, "/");
            send.write_all(&connect).await.unwrap();
            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "501");
        }

        assert_lives(&peer, &server).await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_ends_or_is_given_up_too_soon_costs_its_stream_alone() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let connect = raw::connect("/");

        for whole in [&[][..], &raw::frame(0x21, b"whatever")] {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(whole).await.unwrap();
            send.finish().unwrap();
            assert_eq!(reset_code(&mut recv).await, H3_REQUEST_INCOMPLETE);
        }
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&connect[..20]).await.unwrap();
        send.reset(7u8.into()).unwrap();
        reset_code(&mut recv).await;

        assert_lives(&peer, &server).await;
    })
    .await;
}

#[tokio::test]
async fn headers_over_the_limit_are_answered_with_431() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default().header_block(300)).await;
        let long = "x".repeat(300);

        for method in ["GET", "CONNECT"] {
            let (mut send, mut recv) = peer.connect_stream().await;
            let headers = raw::headers(&[(":method", method), ("long", &long)]);
            send.write_all(&headers).await.unwrap();
            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "431");
        }

        assert_lives(&peer, &server).await;
    })
    .await;
}

#[tokio::test]
async fn reserved_streams_and_frames_are_passed_over() {
    within(async {
        let (_endpoint, mut peer, server) = raw::client(Limits::default()).await;

        for ty in [0x21, 0x21 + 0x1f * 1000, 0x4d] {
            let mut send = peer.quic.open_uni().await.unwrap();
            send.write_all(&raw::varint(ty)).await.unwrap();
            let _ = send.write_all(b"whatever").await;
        }
        let grease = raw::frame(0x21, b"whatever");
        peer.control.write_all(&grease).await.unwrap();

        assert_lives(&peer, &server).await;
    })
    .await;
}

#[tokio::test]
async fn a_reserved_frame_ahead_of_the_headers_is_passed_over() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let (mut send, _recv) = peer.connect_stream().await;

        let grease = raw::frame(0x21, b"whatever");
        let request = [grease, raw::connect("/path")].concat();
        send.write_all(&request).await.unwrap();

        assert_eq!(server.accept().await.unwrap().uri().path(), "/path");
    })
    .await;
}

#[tokio::test]
async fn a_second_control_stream_ends_the_connection() {
    within(async {
        let (_endpoint, peer, _server) = raw::client(Limits::default()).await;

        let mut second = peer.quic.open_uni().await.unwrap();
        second.write_all(&raw::varint(0)).await.unwrap();

        assert_eq!(peer.close_code().await, H3_STREAM_CREATION_ERROR);
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_control_stream_ends_the_connection() {
    within(async {
        let (_endpoint, mut peer, _server) = raw::client(Limits::default()).await;
        peer.control.finish().unwrap();
        assert_eq!(peer.close_code().await, H3_CLOSED_CRITICAL_STREAM);

        let (_endpoint, mut peer, _server) = raw::client(Limits::default()).await;
        peer.control.reset(0u8.into()).unwrap();
        assert_eq!(peer.close_code().await, H3_CLOSED_CRITICAL_STREAM);
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_qpack_stream_ends_the_connection() {
    within(async {
        for ty in [2, 3] {
            let (_endpoint, peer, _server) = raw::client(Limits::default()).await;

            let mut qpack = peer.quic.open_uni().await.unwrap();
            qpack.write_all(&raw::varint(ty)).await.unwrap();
            qpack.finish().unwrap();

            assert_eq!(peer.close_code().await, H3_CLOSED_CRITICAL_STREAM);
        }
    })
    .await;
}

#[tokio::test]
async fn a_control_stream_without_settings_first_ends_the_connection() {
    within(async {
        for first in [raw::frame(0x07, &[0]), raw::frame(0x21, b"")] {
            let (peer, _socket, accepted) = quic().await;

            let mut control = peer.open_uni().await.unwrap();
            let opening = [raw::varint(0), first].concat();
            control.write_all(&opening).await.unwrap();

            let closed = peer.closed().await.to_string();
            let code = H3_MISSING_SETTINGS.to_string();
            assert!(closed.contains(&code), "{closed}");
            assert!(accepted.await.unwrap().is_err());
        }
    })
    .await;
}

#[tokio::test]
async fn frames_that_may_not_be_on_the_control_stream_end_the_connection() {
    within(async {
        for frame in [
            raw::settings(&ENABLED),
            raw::data(b"x"),
            raw::connect("/"),
            raw::frame(0x02, b""),
        ] {
            let (_endpoint, mut peer, _server) = raw::client(Limits::default()).await;
            peer.control.write_all(&frame).await.unwrap();
            assert_eq!(peer.close_code().await, H3_FRAME_UNEXPECTED);
        }
    })
    .await;
}

#[tokio::test]
async fn settings_that_contradict_themselves_end_the_connection() {
    within(async {
        for pairs in [&[(0x33, 1), (0x33, 1)][..], &[(0x33, 2)], &[(0x02, 1)]] {
            let (peer, socket, accepted) = quic().await;

            let peer = raw::start(peer, socket, pairs).await;

            assert_eq!(peer.close_code().await, H3_SETTINGS_ERROR);
            assert!(accepted.await.unwrap().is_err());
        }
    })
    .await;
}

#[tokio::test]
async fn a_push_stream_of_a_clients_ends_the_connection() {
    within(async {
        let (_endpoint, peer, _server) = raw::client(Limits::default()).await;

        let mut push = peer.quic.open_uni().await.unwrap();
        push.write_all(&raw::varint(1)).await.unwrap();

        assert_eq!(peer.close_code().await, H3_STREAM_CREATION_ERROR);
    })
    .await;
}

type Accepted = tokio::task::JoinHandle<Result<Connection, wt_connection::ConnectError>>;

/// A raw client that has written nothing, and the server's end of the connection in the making.
async fn quic() -> (quinn::Connection, quinn::Endpoint, Accepted) {
    let (identity, builder) = server_builder();
    let endpoint: Endpoint = builder.bind().unwrap();
    let server = endpoint.clone();
    let accepted = tokio::spawn(async move { server.accept().await.unwrap().await });
    let (peer, socket) = raw::quic_client(&endpoint, &identity).await;
    (peer, socket, accepted)
}

/// Sends a request, and says with which code its stream is given back.
async fn refused(peer: &Raw, request: &[u8]) -> u64 {
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(request).await.unwrap();
    reset_code(&mut recv).await
}

async fn reset_code(recv: &mut quinn::RecvStream) -> u64 {
    match recv.read_to_end(1000).await {
        Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) => code.into_inner(),
        other => panic!("not reset: {other:?}"),
    }
}

async fn assert_lives(peer: &Raw, server: &Connection) {
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(&raw::connect("/alive")).await.unwrap();
    let request = server.accept().await.unwrap();
    assert_eq!(request.uri().path(), "/alive");
    let _session = request.accept().await.unwrap();
    assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
}

const H3_FRAME_UNEXPECTED: u64 = 0x105;
const H3_SETTINGS_ERROR: u64 = 0x109;
