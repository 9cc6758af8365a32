//! A client's bytes on the wire, and what it makes of a raw server's.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{once, within};
use common::raw::{
    self, ENABLED, H3_CLOSED_CRITICAL_STREAM, H3_MISSING_SETTINGS, H3_REQUEST_REJECTED,
    H3_STREAM_CREATION_ERROR,
};
use std::pin::pin;
use tower::ServiceExt;
use wt_connection::{ConnectError, ConnectionError, OpenError};

#[tokio::test]
async fn the_settings_announce_every_generation() {
    within(async {
        let (peer, _client, _connector) = raw::server(&ENABLED).await;

        let mut control = peer.quic.accept_uni().await.unwrap();
        let settings = raw::read_settings(&mut control).await;

        let value = |id| settings.iter().find(|pair| pair.0 == id).map(|pair| pair.1);
        for id in [
            0x33,
            0x2b60_3742,
            0x3c48_d522,
            0xc671_706a,
            0x14e9_cd29,
            0x2c7c_f000,
            0x2b61,
            0x2b64,
            0x2b65,
        ] {
            assert!(value(id) > Some(0), "{id:x} in {settings:x?}");
        }
        assert_eq!(value(0x08), None);
    })
    .await;
}

#[tokio::test]
async fn the_connect_names_method_protocol_scheme_authority_and_path() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let mut opening = pin!(client.open("/path?query"));
        assert!(once(opening.as_mut()).await.is_none());

        let (_send, mut recv) = peer.quic.accept_bi().await.unwrap();
        let (ty, block) = raw::read_frame(&mut recv).await;

        assert_eq!(ty, 1, "HEADERS");
        for part in ["webtransport", "localhost:", "/path?query"] {
            let mut windows = block.windows(part.len());
            assert!(windows.any(|window| window == part.as_bytes()), "{part}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_protocol_is_named_as_the_servers_draft_names_it() {
    within(async {
        for (setting, token) in [
            ((0x2b60_3742, 1), "webtransport"),
            ((0x3c48_d522, 1), "webtransport"),
            ((0xc671_706a, 1), "webtransport"),
            ((0x14e9_cd29, 1), "webtransport"),
            ((0x2c7c_f000, 1), "webtransport-h3"),
        ] {
            for settings in [
                vec![(0x08, 1), (0x33, 1), setting],
                // What older ones have, beside that.
                [&ENABLED[..], &[setting]].concat(),
            ] {
                let mut settings = settings;
                settings.dedup();
                let (peer, client, _connector) = raw::server(&settings).await;
                let mut opening = pin!(client.open("/"));
                assert!(once(opening.as_mut()).await.is_none());

                let (_send, mut recv) = peer.quic.accept_bi().await.unwrap();
                let (_, block) = raw::read_frame(&mut recv).await;

                // Both as literals: nothing of it is in a table.
                let field = [b":protocol", &[token.len() as u8][..], token.as_bytes()].concat();
                let mut windows = block.windows(field.len());
                assert!(
                    windows.any(|window| window == field),
                    "{setting:x?} {block:x?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_number_of_sessions_is_what_the_server_says_and_one_if_it_does_not() {
    within(async {
        for (extra, expected) in [
            (&[][..], 1),
            (&[(0xc671_706a, 5)], 5),
            (&[(0x14e9_cd29, 1)], 1),
            // By draft 13's rules, which come with flow control of each session.
            (&[(0x14e9_cd29, 1), (0xc671_706a, 5)], 1),
            (&[(0x14e9_cd29, 6), (0xc671_706a, 5)], 6),
            (&[(0x2b60_3743, 7)], 7),
        ] {
            let settings = [&ENABLED[..], extra].concat();
            let (_peer, client, _connector) = raw::server(&settings).await;

            assert_eq!(client.max_sessions(), expected, "{extra:x?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_asks_for_no_more_sessions_than_the_server_allows() {
    within(async {
        let settings = [&ENABLED[..], &[(0xc671_706a, 5)]].concat();
        let (peer, client, _connector) = raw::server(&settings).await;
        let mut sessions = Vec::new();
        for _ in 0..5 {
            let answer = async {
                let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
                send.write_all(&raw::response("200")).await.unwrap();
                (send, recv)
            };
            let (session, streams) = tokio::join!(client.open("/"), answer);
            sessions.push((session.unwrap(), streams));
        }

        let mut service = client.clone();
        let mut ready = pin!(service.ready());
        assert!(once(ready.as_mut()).await.is_none());
        let (session, (mut send, _recv)) = sessions.pop().unwrap();
        send.finish().unwrap();
        session.closed().await;

        assert!(ready.await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_session_refused_unprocessed_says_so() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let code = quinn::VarInt::from_u64(H3_REQUEST_REJECTED).unwrap();
        let refuse = async {
            let (mut send, mut recv) = peer.quic.accept_bi().await.unwrap();
            send.reset(code).unwrap();
            recv.stop(code).unwrap();
        };

        let (opened, ()) = tokio::join!(client.open("/"), refuse);

        assert!(matches!(opened, Err(OpenError::Unprocessed)));
    })
    .await;
}

#[tokio::test]
async fn a_session_given_up_by_the_server_tells_its_code() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let abort = async {
            let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();
            send.reset(0x102u16.into()).unwrap();
        };

        let (opened, ()) = tokio::join!(client.open("/"), abort);

        assert!(matches!(opened, Err(OpenError::Aborted { code: 0x102 })));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_speaks_no_webtransport_is_told_apart() {
    within(async {
        for settings in [
            &[][..],
            &[(0x08, 1), (0x33, 1)],
            &[(0x33, 1), (0xc671_706a, 1)],
            &[(0x08, 1), (0x2b60_3742, 1)],
        ] {
            let (socket, connector, target) = raw::raw_server();
            let accept = async {
                let quic = socket.accept().await.unwrap().await.unwrap();
                raw::start(quic, socket.clone(), settings).await
            };
            let (connected, _peer) = tokio::join!(connector.oneshot(target), accept);
            let error = connected.unwrap_err();
            assert!(matches!(error, ConnectError::NoWebTransport), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_setting_of_each_generation_that_is_announced_is_enough() {
    within(async {
        for settings in [
            &[(0x33, 1), (0x2b60_3742, 1)][..],
            &[(0x08, 1), (0x33, 1), (0xc671_706a, 1)],
            &[(0x08, 1), (0x33, 1), (0x14e9_cd29, 1)],
            &[(0x08, 1), (0x33, 1), (0x2c7c_f000, 1)],
        ] {
            // It fails where the client does not connect.
            let (_peer, client, _connector) = raw::server(settings).await;
            assert_eq!(client.max_sessions(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_of_a_servers_ends_the_connection() {
    within(async {
        for request in [
            raw::connect("/"),
            raw::headers(&[(":method", "GET")]),
            raw::data(b"x"),
            raw::varint(1),
        ] {
            let (peer, client, _connector) = raw::server(&ENABLED).await;

            let (mut send, _recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&request).await.unwrap();

            assert_eq!(peer.close_code().await, H3_STREAM_CREATION_ERROR);
            assert_protocol(client.closed().await, H3_STREAM_CREATION_ERROR);
        }
    })
    .await;
}

#[tokio::test]
async fn a_control_stream_that_breaks_the_rules_ends_the_connection() {
    within(async {
        let (mut peer, client, _connector) = raw::server(&ENABLED).await;
        peer.control.finish().unwrap();
        assert_protocol(client.closed().await, H3_CLOSED_CRITICAL_STREAM);

        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let mut second = peer.quic.open_uni().await.unwrap();
        second.write_all(&raw::varint(0)).await.unwrap();
        assert_protocol(client.closed().await, H3_STREAM_CREATION_ERROR);
    })
    .await;
}

#[tokio::test]
async fn a_control_stream_without_settings_first_fails_the_connect() {
    within(async {
        let (socket, connector, target) = raw::raw_server();
        let accept = async {
            let quic = socket.accept().await.unwrap().await.unwrap();
            let mut control = quic.open_uni().await.unwrap();
            let opening = [raw::varint(0), raw::frame(0x07, &[0])].concat();
            control.write_all(&opening).await.unwrap();
            quic.closed().await
        };

        let (connected, _closed) = tokio::join!(connector.oneshot(target), accept);

        match connected {
            Err(ConnectError::Lost(error)) => assert_protocol(error, H3_MISSING_SETTINGS),
            other => panic!("not lost: {other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn reserved_streams_are_passed_over() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let mut grease = peer.quic.open_uni().await.unwrap();
        grease.write_all(&raw::varint(0x21)).await.unwrap();
        let answer = async {
            let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
            send.write_all(&raw::response("200")).await.unwrap();
            (send, recv)
        };

        let (session, _streams) = tokio::join!(client.open("/"), answer);

        assert!(session.is_ok());
        let code = quinn::VarInt::from_u64(H3_STREAM_CREATION_ERROR).unwrap();
        assert_eq!(grease.stopped().await, Ok(Some(code)));
    })
    .await;
}

fn assert_protocol(error: ConnectionError, expected: u64) {
    match error {
        ConnectionError::Protocol { code, .. } => assert_eq!(code, expected),
        other => panic!("not ended by this side for a fault: {other}"),
    }
}
