//! A server and clients of ours on loopback.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

pub(crate) mod bare;
pub(crate) mod bounded;
pub(crate) mod by_hand;
pub(crate) mod child;
pub(crate) mod flow;
pub(crate) mod hostile;
pub(crate) mod known;
pub(crate) mod narrow;
pub(crate) mod path;
pub(crate) mod plain;
pub(crate) mod raw;
pub(crate) mod serve;

use std::net::SocketAddr;

use tower::ServiceExt;
use wt_connection::{
    Connection, Connector, Endpoint, EndpointBuilder, Identity, Session, Target, Trust,
};

pub(crate) const LOOPBACK: &str = "[::1]:0";

/// An identity, and the endpoint settings of a server that has it.
pub(crate) fn server_builder() -> (Identity, EndpointBuilder) {
    let identity = Identity::self_signed(["localhost", "127.0.0.1", "::1"]).unwrap();
    let builder = Endpoint::builder()
        .address(LOOPBACK.parse().unwrap())
        .identity(identity.clone());
    (identity, builder)
}

/// A server, and a connector that trusts it.
pub(crate) fn pair() -> (Endpoint, Connector) {
    let (identity, builder) = server_builder();
    (builder.bind().unwrap(), connector(&identity))
}

pub(crate) fn connector(identity: &Identity) -> Connector {
    let trust = Trust::hashes([identity.certificate_hash()]);
    let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    Connector::new(builder.trust(trust).bind().unwrap())
}

pub(crate) fn address(endpoint: &Endpoint) -> SocketAddr {
    endpoint.local_address().unwrap()
}

pub(crate) fn target(endpoint: &Endpoint) -> Target {
    format!("https://localhost:{}", address(endpoint).port())
        .parse::<Target>()
        .unwrap()
        .address(address(endpoint))
}

/// A connection, from both ends.
pub(crate) async fn connections(
    server: &Endpoint,
    connector: &Connector,
) -> (Connection, Connection) {
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let connect = async { connector.clone().oneshot(target(server)).await.unwrap() };
    tokio::join!(connect, accept)
}

/// A session, from both ends.
pub(crate) async fn session(client: &Connection, server: &Connection) -> (Session, Session) {
    let accept = async { server.accept().await.unwrap().accept().await.unwrap() };
    let open = async { client.open("/").await.unwrap() };
    tokio::join!(open, accept)
}

/// All that a test of sessions needs; the endpoints are kept so that their sockets stay open.
pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) server_endpoint: Endpoint,
    pub(crate) connector: Connector,
}

pub(crate) async fn connected() -> Pair {
    let (server_endpoint, connector) = pair();
    let (client, server) = connections(&server_endpoint, &connector).await;
    Pair {
        client,
        server,
        server_endpoint,
        connector,
    }
}
