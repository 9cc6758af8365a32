//! What the example `echo` shows: everything comes back, and each end is told why.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use examples::echo;
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Identity, Session, SessionError, Trust};

#[tokio::test]
async fn everything_comes_back_in_every_session() {
    let (server, connection) = connected().await;
    let sessions = [open(&connection).await, open(&connection).await];

    for session in &sessions {
        echo::bi(session, &[1; 100_000]).await.unwrap();
        echo::uni(session, &[2; 100_000]).await.unwrap();
        echo::datagram(session, &[3; 100]).await.unwrap();
    }

    server.close(0, "").await;
}

#[tokio::test]
async fn a_closed_server_tells_every_session_its_code() {
    let (server, connection) = connected().await;
    let sessions = [open(&connection).await, open(&connection).await];

    server.close(7, "closing time").await;

    for session in &sessions {
        let SessionError::ClosedByPeer(close) = session.closed().await else {
            panic!("the session ended in another way");
        };
        assert_eq!((close.code(), close.reason()), (7, "closing time"));
    }
}

#[tokio::test]
async fn a_broken_stream_is_not_answered_as_a_whole_one() {
    let (server, connection) = connected().await;
    let session = open(&connection).await;

    let (mut send, mut recv) = session.open_bi().await.unwrap().split();
    send.write_all(b"half").await.unwrap();
    recv.read(&mut [0; 4]).await.unwrap();
    send.reset(9).unwrap();

    recv.read_to_end(100).await.unwrap_err();
    server.close(0, "").await;
}

/// An echo server, and a connection to it.
async fn connected() -> (Endpoint, Connection) {
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let trust = Trust::hashes([identity.certificate_hash()]);
    let server = Endpoint::server("127.0.0.1:0".parse().unwrap(), identity).unwrap();
    tokio::spawn(echo::serve(server.clone()));
    let connector = Connector::new(Endpoint::client(trust).unwrap());
    let target = server.local_address().unwrap().into();
    (server, connector.oneshot(target).await.unwrap())
}

async fn open(connection: &Connection) -> Session {
    connection.open("/echo").await.unwrap()
}
