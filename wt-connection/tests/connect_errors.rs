//! Why a connection is not made: each reason is told apart.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use common::bounded::within;
use common::{LOOPBACK, connector, pair, server_builder, target};
use tokio::time::Instant;
use tower::ServiceExt;
use wt_connection::{
    ConnectError, ConnectionError, Connector, DangerousNoVerification, Endpoint, Identity,
    InvalidTarget, Limits, OpenError, Target, Trust,
};

/// What a server is told that does not announce all that WebTransport needs.
const WT_REQUIREMENTS_NOT_MET: u64 = 0x212c_0d48;

#[tokio::test]
async fn an_address_without_a_route_is_unreachable() {
    within(async {
        let pairs = [
            // A loopback source has no route to the world; nothing is sent.
            ("127.0.0.1:0", "192.0.2.1:443"),
            ("127.0.0.1:0", "[::1]:443"),
            ("[::1]:0", "127.0.0.1:443"),
        ];
        for (from, to) in pairs {
            let trust = Trust::from(DangerousNoVerification);
            let builder = Endpoint::builder().address(from.parse().unwrap());
            let connector = Connector::new(builder.trust(trust).bind().unwrap());
            let to: SocketAddr = to.parse().unwrap();

            let error = connector.oneshot(to.into()).await.unwrap_err();

            assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_address_does_not_hold_up_the_next() {
    within(async {
        let (server, connector) = pair();
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let unreachable: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let target = Target::from(unreachable).address(common::address(&server));
        let began = Instant::now();

        let (connected, _server) = tokio::join!(connector.oneshot(target), accept);

        assert!(connected.is_ok());
        assert!(began.elapsed() < Duration::from_millis(250));
    })
    .await;
}

#[tokio::test]
async fn a_dead_port_and_a_silent_one_time_out_in_the_time_set() {
    within(async {
        let limit = Duration::from_millis(300);
        let silent = UdpSocket::bind(LOOPBACK).unwrap();
        let dead = UdpSocket::bind(LOOPBACK).unwrap().local_addr().unwrap();

        for address in [silent.local_addr().unwrap(), dead] {
            let began = Instant::now();
            let connector = common::bare::connector().connect_timeout(limit);
            let error = connector.oneshot(address.into()).await.unwrap_err();

            assert!(matches!(error, ConnectError::TimedOut), "{error:?}");
            assert!(began.elapsed() >= limit);
            assert!(began.elapsed() < limit * 3);
        }
    })
    .await;
}

#[tokio::test]
async fn the_time_set_covers_the_name_and_the_settings() {
    within(async {
        let limit = Duration::from_millis(300);
        let silent = common::bare::server(Some(b"h3"));
        let unanswered = common::bare::connector()
            .connect_timeout(limit)
            .resolver(|_, _| pending::<io::Result<Vec<SocketAddr>>>());
        let unsettled = common::bare::connector().connect_timeout(limit);
        let accept = async {
            let connection = silent.accept().await.unwrap().await.unwrap();
            connection.closed().await
        };

        let by_name = unanswered.open("https://server.invalid").await;
        let connect = unsettled.oneshot(common::bare::target(&silent));
        let (by_settings, seen) = tokio::join!(connect, accept);

        assert!(matches!(
            by_name,
            Err(OpenError::Connect(ConnectError::TimedOut))
        ));
        assert!(matches!(by_settings, Err(ConnectError::TimedOut)));
        assert_eq!(
            application_code(&seen),
            Some(common::bare::H3_NO_ERROR),
            "{seen:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_fails_tls_and_says_why() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let stranger = Identity::self_signed(["localhost"]).unwrap();
        let roots =
            |identity: &Identity| Trust::roots(identity.certificate_chain().to_vec()).unwrap();
        let named = |name: &str| target(&server).server_name(name);
        let cases = [
            (
                Trust::hashes([stranger.certificate_hash()]),
                named("localhost"),
            ),
            (another_root(), named("localhost")),
            (roots(&identity), named("example.org")),
        ];

        let mut reasons = Vec::new();
        for (trust, target) in cases {
            let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
            let connector = Connector::new(builder.trust(trust).bind().unwrap());
            let refused = async { server.accept().await.unwrap().await.unwrap_err() };
            let (error, there) = tokio::join!(connector.oneshot(target), refused);
            let Err(ConnectError::Tls { reason }) = error else {
                panic!("{error:?}");
            };
            assert!(matches!(there, ConnectError::Tls { .. }), "{there:?}");
            reasons.push(reason);
        }

        assert!(reasons[1].contains("UnknownIssuer"), "{reasons:?}");
        assert!(reasons[2].contains("not valid for name"), "{reasons:?}");
        assert!(!reasons[0].is_empty() && reasons[0] != reasons[1]);
    })
    .await;
}

#[tokio::test]
async fn a_server_of_another_protocol_or_of_none_does_not_offer_http3() {
    within(async {
        for alpn in [Some(b"other".as_slice()), None] {
            let server = common::bare::server(alpn);
            let accept = async { server.accept().await.unwrap().await.is_err() };

            let connect = common::bare::connector().oneshot(common::bare::target(&server));
            let (error, refused) = tokio::join!(connect, accept);

            assert!(matches!(error, Err(ConnectError::Alpn)), "{error:?}");
            assert!(refused);
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_of_plain_http3_does_not_offer_webtransport() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let accept = async {
            let (connection, _control) = common::bare::accept(&server, common::bare::PLAIN).await;
            connection.closed().await
        };

        let connect = common::bare::connector().oneshot(common::bare::target(&server));
        let (error, seen) = tokio::join!(connect, accept);

        assert!(
            matches!(error, Err(ConnectError::NoWebTransport)),
            "{error:?}"
        );
        assert_eq!(
            application_code(&seen),
            Some(WT_REQUIREMENTS_NOT_MET),
            "{seen:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_whose_transport_has_no_datagrams_does_not_offer_webtransport() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let mut transport = quinn::TransportConfig::default();
        transport.datagram_receive_buffer_size(None);
        let mut config =
            quinn::ServerConfig::with_crypto(Arc::new(common::bare::server_crypto(Some(b"h3"))));
        config.transport_config(Arc::new(transport));
        server.set_server_config(Some(config));
        let accept = common::bare::accept(&server, common::bare::WEBTRANSPORT);

        let connect = common::bare::connector().oneshot(common::bare::target(&server));
        let (error, _kept) = tokio::join!(connect, accept);

        assert!(
            matches!(error, Err(ConnectError::NoWebTransport)),
            "{error:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_refuses_or_drops_a_connection_has_refused_it() {
    within(async {
        let (server, connector) = pair();

        for drops in [false, true] {
            let refuse = async {
                let incoming = server.accept().await.unwrap();
                if drops {
                    drop(incoming);
                } else {
                    incoming.refuse();
                }
            };
            let connect = connector.clone().oneshot(target(&server));
            let (error, ()) = tokio::join!(connect, refuse);

            assert!(matches!(error, Err(ConnectError::Refused)), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_closed_before_its_settings_is_lost() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let accept = async {
            let connection = server.accept().await.unwrap().await.unwrap();
            connection.close(7_u32.into(), b"not now");
        };

        let connect = common::bare::connector().oneshot(common::bare::target(&server));
        let (error, ()) = tokio::join!(connect, accept);

        let Err(ConnectError::Lost(lost)) = error else {
            panic!("{error:?}");
        };
        let expected = ConnectionError::ClosedByPeer {
            code: 7,
            reason: "not now".into(),
        };
        assert_eq!(lost, expected);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_at_once_is_named_as_the_cause() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let twice = [(0x08, 1), (0x08, 1)];
        let accept = async {
            let (connection, _control) = common::bare::accept(&server, &twice).await;
            connection.closed().await
        };

        let connect = common::bare::connector().oneshot(common::bare::target(&server));
        let (error, seen) = tokio::join!(connect, accept);

        let Err(ConnectError::Lost(ConnectionError::Protocol { code, .. })) = error else {
            panic!("{error:?}");
        };
        assert_eq!(application_code(&seen), Some(code));
        assert_eq!(code, 0x109, "H3_SETTINGS_ERROR");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_closed_or_trusts_nobody_cannot_connect() {
    within(async {
        let (server, connector) = pair();
        let (_, builder) = server_builder();
        let trusts_nobody = Connector::new(builder.bind().unwrap());
        let trust = Trust::from(DangerousNoVerification);
        let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
        let closed = builder.trust(trust).bind().unwrap();
        closed.close(0, "").await;
        let malformed = target(&server).server_name("no name");

        let errors = [
            trusts_nobody.oneshot(target(&server)).await,
            Connector::new(closed).oneshot(target(&server)).await,
            connector.oneshot(malformed).await,
        ];

        let causes = errors.map(|error| match error {
            Err(ConnectError::Local(cause)) => cause,
            other => panic!("{other:?}"),
        });
        let expected = [
            quinn::ConnectError::NoDefaultClientConfig,
            quinn::ConnectError::EndpointStopping,
            quinn::ConnectError::InvalidServerName("no name".into()),
        ];
        assert_eq!(causes, expected);
    })
    .await;
}

#[tokio::test]
async fn a_url_that_names_no_target_is_told_before_anything_is_sent() {
    within(async {
        let (_, connector) = pair();

        let errors = [
            connector.open("http://localhost:4433/").await,
            connector.open("/path").await,
            connector.open("https://user@localhost/").await,
            connector.open("https://local host/").await,
        ];

        let causes = errors.map(|error| match error {
            Err(OpenError::Connect(ConnectError::InvalidTarget(cause))) => cause,
            other => panic!("{other:?}"),
        });
        assert!(matches!(causes[0], InvalidTarget::NotHttps));
        assert!(matches!(causes[1], InvalidTarget::NoAuthority));
        assert!(matches!(causes[2], InvalidTarget::NoAuthority));
        assert!(matches!(causes[3], InvalidTarget::Uri(_)));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_never_sends_settings_times_the_server_out() {
    within(async {
        let (identity, builder) = server_builder();
        let limits = Limits::default().header_timeout(Duration::from_millis(200));
        let server = builder.limits(limits).bind().unwrap();
        let client = common::bare::client(identity.certificate_chain()[0].clone());
        let connect = async {
            let address = common::address(&server);
            let connection = client.connect(address, "localhost").unwrap().await.unwrap();
            connection.closed().await
        };
        let accept = async { server.accept().await.unwrap().await.unwrap_err() };

        let (seen, error) = tokio::join!(connect, accept);

        assert!(matches!(error, ConnectError::TimedOut), "{error:?}");
        assert_eq!(
            application_code(&seen),
            Some(common::bare::H3_NO_ERROR),
            "{seen:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_connection_leaves_its_connector_usable() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let connector = connector(&identity);
        let refuse = async { server.accept().await.unwrap().refuse() };
        let (failed, ()) = tokio::join!(connector.clone().oneshot(target(&server)), refuse);

        let (client, _server) = common::connections(&server, &connector).await;

        assert!(failed.is_err());
        assert_eq!(client.remote_address(), common::address(&server));
    })
    .await;
}

fn another_root() -> Trust {
    let mut params = rcgen::CertificateParams::new([]).unwrap();
    let name = &mut params.distinguished_name;
    name.push(rcgen::DnType::CommonName, "another root");
    let key = rcgen::KeyPair::generate().unwrap();
    Trust::roots([params.self_signed(&key).unwrap().into()]).unwrap()
}

fn application_code(error: &quinn::ConnectionError) -> Option<u64> {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
        _ => None,
    }
}
