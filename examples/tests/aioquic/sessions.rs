//! Sessions with aioquic, by either side's connection.

use serde_json::json;
use wt_connection::{Connection, Session};

use crate::draft::{Draft, limits};
use crate::ours::Server;
use crate::peer::Peer;

/// A session, and the path that it was opened at.
pub(crate) struct Opened {
    pub(crate) path: &'static str,
    pub(crate) session: Session,
}

impl Opened {
    /// What the other side answers in this session.
    pub(crate) fn answer(&self, content: &[u8]) -> Vec<u8> {
        [self.path.as_bytes(), b": ", content].concat()
    }

    /// Lives: what is asked on a stream is answered.
    pub(crate) async fn lives(&self) {
        let mut stream = self.session.open_bi().await.unwrap();
        stream.send.write_all(b"alive?").await.unwrap();
        stream.send.finish().unwrap();
        let answer = stream.recv.read_to_end(LIMIT).await.unwrap();
        assert_eq!(answer, self.answer(b"alive?"));
    }

    /// Closes it, and waits until the other side knows.
    pub(crate) async fn close(&self) {
        self.session.close(0, "");
        self.session.closed().await;
    }
}

/// Opens a session at each of these paths by their client, on one connection to our server.
pub(crate) async fn from_their_client(
    draft: Draft,
    paths: [&'static str; 3],
) -> (Peer, [Opened; 3]) {
    let server = Server::limited(limits());
    let mut peer = Peer::client(draft, &server, &paths.map(|path| format!("CONNECT {path}")));
    let connection = server.endpoint.accept().await.unwrap().await.unwrap();
    let opened = accept(&connection, paths).await;
    assert_eq!(connection.generation(), draft.generation());
    peer.says(paths.map(|path| json!({ "path": path, "status": 200 })))
        .await;
    (peer, opened)
}

/// Opens a session at each of these paths by our client, on one connection to their server.
pub(crate) async fn from_our_client(draft: Draft, paths: [&'static str; 3]) -> (Peer, [Opened; 3]) {
    let (peer, connection) = Peer::server(draft).await;
    let open = async |path| {
        let session = connection.open(path).await.unwrap();
        Opened { path, session }
    };
    let [a, b, c] = paths;
    let opened = tokio::join!(open(a), open(b), open(c));
    (peer, opened.into())
}

/// Accepts the sessions that the client asks for, in whatever order they come.
pub(crate) async fn accept(connection: &Connection, paths: [&'static str; 3]) -> [Opened; 3] {
    let mut opened = Vec::new();
    for _ in paths {
        let request = connection.accept().await.unwrap();
        let asked = request.uri().path();
        let path = *paths.iter().find(|path| **path == asked).unwrap();
        let session = request.accept().await.unwrap();
        opened.push(Opened { path, session });
    }
    opened.sort_by_key(|opened| opened.session.id());
    opened.try_into().ok().expect("there are as many as paths")
}

const LIMIT: usize = 1024;
