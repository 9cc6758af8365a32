//! Connections that resume, and what is sent on them before the handshake is done.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::bounded::within;
use common::hostile::H3_SETTINGS_ERROR;
use common::path::{Way, stand_between};
use common::raw;
use common::serve::{BoxError, reply};
use common::{LOOPBACK, address, server_builder, target};
use http::Request;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::{ServiceExt, service_fn};
use wt_connection::{
    Body, ConnectError, Connection, ConnectionError, Connector, EarlyData, Endpoint, Identity,
    Limits, OpenError, PingError, Server, ServerIdentity, Session, SessionError, SessionRequest,
    Target, Trust,
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

#[tokio::test]
async fn a_server_that_has_forgotten_the_client_ends_the_connection_and_is_asked_anew() {
    within(async {
        let mut known = Known::new(true).await;
        known.restart(Limits::default()).await;
        let client = known.connect().await;

        let early = client.open_early(fit()).await.unwrap();
        let mut stream = early.session().open_bi().await.unwrap();
        // It may be told before this.
        let _ = stream.send.write_all(b"question").await;
        let session = early.session().clone();
        let _served = tokio::spawn(serve(known.server.clone()));

        let rejected = ConnectionError::EarlyDataRejected;
        assert_eq!(client.closed().await, rejected);
        assert_eq!(
            session.closed().await,
            SessionError::Connection(rejected.clone())
        );
        assert!(matches!(
            early.accepted().await,
            Err(OpenError::Connection(ConnectionError::EarlyDataRejected))
        ));
        assert!(matches!(
            client.open("/").await,
            Err(OpenError::Connection(ConnectionError::EarlyDataRejected))
        ));
        assert_eq!(client.info().error_count, 1);
        // Anew, and from then on as before.
        for _ in 0..2 {
            let client = known.connect().await;
            let session = client.open_early(fit()).await.unwrap();
            session.accepted().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_announces_less_than_it_had_breaks_the_rules() {
    within(async {
        let mut known = Known::lasting(true).await;
        known.restart(Limits::default().header_block(1000)).await;

        known.is_broken_with().await;
    })
    .await;
}

/// To a client, a session was without bounds that the server counts.
#[tokio::test]
async fn a_server_that_bounds_sessions_anew_breaks_the_rules() {
    within(async {
        let mut known = Known::lasting(true).await;
        known
            .restart(Limits::default().without_flow_control())
            .await;
        known.is_broken_with().await;
        known.connects_early().await;

        known.restart(Limits::default()).await;

        known.is_broken_with().await;
        known.connects_early().await;
    })
    .await;
}

/// Each was sent the newest ticket of them all, and rejected what came with another's.
#[tokio::test]
async fn servers_of_one_name_are_told_apart() {
    within(async {
        let known = Known::new(true).await;
        let local = LOOPBACK.parse().unwrap();
        let other = bind(local, &known.identity, true, Limits::default()).await;
        let servers = [&other, &known.server];
        let _served = servers.map(|server| tokio::spawn(serve(server.clone())));

        for server in [&other, &known.server, &other] {
            let connector = known.connector.clone();
            let client = connector.oneshot(target(server)).await.unwrap();
            let early = client.open_early(fit()).await.unwrap();
            early.accepted().await.unwrap();
        }
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

/// A server that a client has had a connection to.
struct Known {
    server: Endpoint,
    connector: Connector,
    identity: ServerIdentity,
    takes: bool,
}

impl Known {
    /// Begins with a server that `takes` early data, or none.
    async fn new(takes: bool) -> Self {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        Self::by(identity.into(), trust, takes).await
    }

    /// Begins with one that keeps its tickets when it restarts.
    async fn lasting(takes: bool) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = CertificateDer::from(certified.cert);
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        tls.max_early_data_size = u32::MAX;
        let trust = Trust::roots([certificate]).unwrap();
        Self::by(tls.into(), trust, takes).await
    }

    async fn by(identity: ServerIdentity, trust: Trust, takes: bool) -> Self {
        let local = LOOPBACK.parse().unwrap();
        let client = Endpoint::builder().address(local).trust(trust);
        let known = Self {
            server: bind(local, &identity, takes, Limits::default()).await,
            connector: Connector::new(client.early_data(true).bind().unwrap()),
            identity,
            takes,
        };
        let connect = async {
            let client = known.connect().await;
            let session = client.open("/").await.unwrap();
            (client, session)
        };
        let accept = async {
            let (server, request) = known.accept().await;
            (server, request.accept().await.unwrap())
        };
        let ((first, session), (server, accepted)) = tokio::join!(connect, accept);
        converse(&session, &accepted).await;
        first.close(0, "").await;
        server.closed().await;
        known
    }

    async fn connect(&self) -> Connection {
        let connector = self.connector.clone();
        connector.oneshot(target(&self.server)).await.unwrap()
    }

    /// A connection, and a request for a session on it.
    async fn accept(&self) -> (Connection, SessionRequest) {
        let connection = self.server.accept().await.unwrap().await.unwrap();
        let request = connection.accept().await.unwrap();
        (connection, request)
    }

    /// Connects, which ends over the server's SETTINGS.
    async fn is_broken_with(&self) {
        let served = tokio::spawn(serve(self.server.clone()));
        let ended = self.connect().await.closed().await;
        let ConnectionError::Protocol { code, .. } = ended else {
            panic!("ended otherwise: {ended}");
        };
        assert_eq!(code, H3_SETTINGS_ERROR);
        served.abort();
    }

    /// Connects by what is known of the server.
    async fn connects_early(&self) {
        let served = tokio::spawn(serve(self.server.clone()));
        let client = self.connect().await;
        let session = client.open_early(fit()).await.unwrap();
        session.accepted().await.unwrap();
        client.close(0, "").await;
        served.abort();
    }

    /// Puts another server in the place of this one.
    async fn restart(&mut self, limits: Limits) {
        let local = address(&self.server);
        self.server.close(0, "").await;
        // The address is free once the last handle is gone.
        let elsewhere = LOOPBACK.parse().unwrap();
        self.server = bind(elsewhere, &self.identity, self.takes, limits).await;
        self.server = bind(local, &self.identity, self.takes, limits).await;
    }
}

/// Binds as soon as the address is free.
async fn bind(
    address: SocketAddr,
    identity: &ServerIdentity,
    takes: bool,
    limits: Limits,
) -> Endpoint {
    loop {
        let builder = Endpoint::builder().address(address).limits(limits);
        match builder.identity(identity.clone()).early_data(takes).bind() {
            Ok(server) => return server,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Accepts every connection, and every session on it.
async fn serve(server: Endpoint) {
    while let Some(incoming) = server.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await.unwrap();
            while let Ok(request) = connection.accept().await {
                let session = request.accept().await.unwrap();
                tokio::spawn(async move { session.closed().await });
            }
        });
    }
}

/// A request for a session that may be processed twice.
fn fit() -> Request<()> {
    Request::get("/").extension(EarlyData).body(()).unwrap()
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

/// Shows that the session works, both ways.
async fn converse(client: &Session, server: &Session) {
    let mut uni = client.open_uni().await.unwrap();
    uni.write_all(b"up").await.unwrap();
    uni.finish().unwrap();
    let mut there = server.accept_uni().await.unwrap();
    assert_eq!(there.read_to_end(10).await.unwrap(), b"up");
    let mut uni = server.open_uni().await.unwrap();
    uni.write_all(b"down").await.unwrap();
    uni.finish().unwrap();
    let mut here = client.accept_uni().await.unwrap();
    assert_eq!(here.read_to_end(10).await.unwrap(), b"down");
}
