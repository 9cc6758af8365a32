//! What the public types promise: threads, clones, futures that may be spawned.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use tower::{Service, ServiceExt};
use wt_connection::{
    AddError, BiStream, Body, BodyError, Close, CompleteOnClose, ConnectError, Connecting,
    Connection, ConnectionError, ConnectionId, ConnectionInfo, ConnectionSettings, ConnectionState,
    ConnectionSummary, Connections, ConnectionsStats, Connector, Cut, Diagnosis, Endpoint,
    EndpointBuilder, EndpointError, Http, Http3Settings, Incoming, InvalidTarget, Issue, Limits,
    OpenError, Opening, Origins, Peer, PingError, Protocols, ReadError, ReadToEndError, RecvStream,
    RequestError, Requesting, SendDatagramError, SendStream, Server, Session, SessionError,
    SessionId, SessionRequest, ShutdownReport, Target, Thresholds, TlsError, Transport, Trust,
    Upgrade, UpgradeError, Upgrading, WriteError,
};

#[test]
fn handles_are_cheap_to_share() {
    fn handle<T: Clone + Send + Sync + Unpin + Debug + 'static>() {}

    handle::<(Endpoint, Connector, Connection, Session)>();
    handle::<(Connections, ConnectionsStats)>();
    handle::<(Target, Trust, Transport, Limits, CompleteOnClose)>();
    handle::<(Protocols, Origins)>();
    handle::<(ConnectionState, ConnectionId, SessionId, Close)>();
    handle::<(ConnectionInfo, ConnectionSummary, ConnectionSettings)>();
    handle::<(Http3Settings, Diagnosis, Issue, Thresholds)>();
    handle::<(Http, Upgrade, Peer, Cut, ShutdownReport)>();
}

#[test]
fn what_has_one_owner_moves_between_threads() {
    fn owned<T: Send + Sync + Unpin + Debug + 'static>() {}

    owned::<(EndpointBuilder, Incoming, SessionRequest)>();
    owned::<(BiStream, SendStream, RecvStream, Body)>();
}

#[test]
fn futures_with_a_name_may_be_spawned_and_moved() {
    fn future<T: Future + Send + Unpin + Debug + 'static>() {}

    future::<Connecting>();
    future::<Opening>();
    future::<Requesting>();
    future::<Upgrading>();
}

/// Never called: that it compiles is the test.
#[test]
fn futures_without_a_name_may_be_spawned() {
    fn sent<T: Send>(_: T) {}
    fn spawned<T: Send + 'static>(_: T) {}

    let _ = |endpoint: &Endpoint, connector: &Connector| {
        sent(endpoint.accept());
        spawned(endpoint.close(0, ""));
        sent(connector.open(""));
        spawned(wt_connection::connect(""));
    };
    let _ = |connection: &Connection| {
        sent(connection.open("/"));
        sent(connection.accept());
        spawned(connection.close(0, ""));
        sent(connection.closed());
        sent(connection.ping(Duration::ZERO));
        sent(connection.diagnose(Thresholds::default()));
    };
    let _ = |connections: &Connections| {
        spawned(connections.close_all(0, ""));
        spawned(connections.shutdown(0, ""));
    };
    let _ = |session: &Session| {
        sent(session.open_bi());
        sent(session.accept_uni());
        sent(session.read_datagram());
        sent(session.closed());
    };
    let _ = |server: Server, connector: Connector| {
        let refuse = |_: Request<Body>| async { Err::<http::Response<String>, _>("no") };
        spawned(server.serve(tower::service_fn(refuse)));
        spawned(connector.oneshot(Target::from(SocketAddr::from(([0; 4], 0)))));
    };
    let _ = |incoming: Incoming, request: SessionRequest| {
        spawned(incoming.into_future());
        spawned(request.accept());
    };
}

#[test]
fn errors_go_where_errors_go() {
    fn error<T: Error + Display + Send + Sync + Unpin + 'static>() {}

    error::<AddError>();
    error::<BodyError>();
    error::<RequestError>();
    error::<UpgradeError>();
    error::<ConnectError>();
    error::<ConnectionError>();
    error::<EndpointError>();
    error::<OpenError>();
    error::<PingError>();
    error::<InvalidTarget>();
    error::<SessionError>();
    error::<TlsError>();
    error::<ReadError>();
    error::<ReadToEndError>();
    error::<WriteError>();
    error::<SendDatagramError>();
}

#[test]
fn a_connector_and_a_connection_are_tower_services() {
    fn service<R, S: Service<R> + ServiceExt<R>>()
    where
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send + 'static,
    {
    }
    fn key<T: Eq + Hash + Clone>() {}

    service::<Target, Connector>();
    service::<Request<()>, Connection>();
    key::<Target>();
    key::<ConnectionId>();
}

#[test]
fn a_request_with_a_boxed_error_is_sent_in_a_task() {
    fn task<F: Future + Send + 'static>(_: impl FnOnce(Connection) -> F) {}
    type AnyBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

    task(async |connection: Connection| {
        let body = AnyBody::new(Empty::new().map_err(|never| match never {}));
        let request = Request::get("/").body(body).unwrap();
        connection.http().request(request).await
    });
}
