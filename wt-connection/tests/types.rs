//! What the public types promise: threads, clones, futures that may be spawned.

use std::fmt::{Debug, Display};
use std::hash::Hash;

use tower::{Service, ServiceExt};
use wt_connection::{
    AddError, BiStream, Close, CompleteOnClose, ConnectError, Connecting, Connection,
    ConnectionError, ConnectionId, ConnectionState, Connections, ConnectionsStats, Connector,
    Endpoint, EndpointBuilder, EndpointError, Incoming, InvalidTarget, Limits, OpenError, Opening,
    Origins, Protocols, ReadError, ReadToEndError, RecvStream, SendDatagramError, SendStream,
    Session, SessionError, SessionId, SessionRequest, Target, TlsError, Transport, Trust,
    WriteError,
};

#[test]
fn handles_are_cheap_to_share() {
    fn handle<T: Clone + Send + Sync + Unpin + Debug + 'static>() {}

    handle::<(Endpoint, Connector, Connection, Session)>();
    handle::<(Connections, ConnectionsStats)>();
    handle::<(Target, Trust, Transport, Limits, CompleteOnClose)>();
    handle::<(Protocols, Origins)>();
    handle::<(ConnectionState, ConnectionId, SessionId, Close)>();
}

#[test]
fn what_has_one_owner_moves_between_threads() {
    fn owned<T: Send + Sync + Unpin + Debug + 'static>() {}

    owned::<(EndpointBuilder, Incoming, SessionRequest)>();
    owned::<(BiStream, SendStream, RecvStream)>();
}

#[test]
fn futures_with_a_name_may_be_spawned_and_moved() {
    fn future<T: Future + Send + Unpin + Debug + 'static>() {}

    future::<Connecting>();
    future::<Opening>();
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
    let _ = |incoming: Incoming, request: SessionRequest| {
        spawned(incoming.into_future());
        spawned(request.accept());
    };
}

#[test]
fn errors_go_where_errors_go() {
    fn error<T: std::error::Error + Display + Send + Sync + Unpin + 'static>() {}

    error::<AddError>();
    error::<ConnectError>();
    error::<ConnectionError>();
    error::<EndpointError>();
    error::<OpenError>();
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
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send + 'static,
    {
    }
    fn key<T: Eq + Hash + Clone>() {}

    service::<Target, Connector>();
    service::<http::Request<()>, Connection>();
    key::<Target>();
    key::<ConnectionId>();
}
