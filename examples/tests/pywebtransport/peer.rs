//! Either end of a connection with pywebtransport, whose other end is ours.

use serde_json::json;
use tower::ServiceExt;
use wt_connection::{
    Connection, Connector, Endpoint, Generation, Identity, Session, Target, Trust,
};

use crate::credentials::Credentials;
pub(crate) use crate::process::Peer;

/// A session that their client has opened at our server.
pub(crate) async fn from_their_client(path: &str) -> (Peer, Session) {
    let files = Credentials::new();
    let identity = Identity::pem_files(files.certificate(), files.key()).unwrap();
    let endpoint = Endpoint::server(LOOPBACK.parse().unwrap(), identity).unwrap();
    let url = format!("https://{}{path}", endpoint.local_address().unwrap());
    let authority = files.authority().into_os_string();
    let mut peer = Peer::start("pywebtransport/client.py", [authority, url.into()]);

    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let request = connection.accept().await.unwrap();
    assert_eq!(request.uri().path(), path);
    let session = request.accept().await.unwrap();
    assert_eq!(connection.generation(), Generation::Draft13);
    peer.says([json!({ "path": path })]).await;
    (peer, session)
}

/// Starts their server, and connects to it.
pub(crate) async fn to_their_server() -> (Peer, Connection) {
    let files = Credentials::new();
    let mut peer = Peer::start(
        "pywebtransport/server.py",
        [files.certificate(), files.key()],
    );
    let target: Target = peer.event().await["url"].as_str().unwrap().parse().unwrap();
    let trust = Trust::pem_file(files.authority()).unwrap();
    let endpoint = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    let connector = Connector::new(endpoint.trust(trust).bind().unwrap());
    let connection = connector.oneshot(target).await.unwrap();
    assert_eq!(connection.generation(), Generation::Draft13);
    (peer, connection)
}

/// A session that our client has opened at their server.
pub(crate) async fn from_our_client(path: &str) -> (Peer, Session) {
    let (mut peer, connection) = to_their_server().await;
    let session = connection.open(path).await.unwrap();
    peer.says([json!({ "path": path })]).await;
    (peer, session)
}

const LOOPBACK: &str = "127.0.0.1:0";
