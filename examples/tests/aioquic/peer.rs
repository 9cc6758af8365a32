//! aioquic at the other end, by a script.

use tower::ServiceExt;
use wt_connection::{Connection, Target};

use crate::draft::{Draft, limits};
use crate::ours::{Server, connector};
pub(crate) use crate::process::Peer;

impl Peer {
    /// Starts a client that makes these requests at once, on one connection.
    pub(crate) fn client(draft: Draft, server: &Server, requests: &[String]) -> Self {
        let url = server.url("/");
        let arguments = [draft.number(), &url].into_iter();
        Self::start(
            "aioquic/client.py",
            arguments.chain(requests.iter().map(String::as_str)),
        )
    }

    /// Starts a server, and connects to it.
    pub(crate) async fn server(draft: Draft) -> (Self, Connection) {
        let mut server = Self::start("aioquic/server.py", [draft.number()]);
        let said = server.event().await;
        let hash = said["hash"].as_str().unwrap().parse().unwrap();
        let target: Target = said["url"].as_str().unwrap().parse().unwrap();
        let connector = connector(hash).limits(limits());
        let connection = connector.oneshot(target).await.unwrap();
        assert_eq!(connection.generation(), draft.generation());
        (server, connection)
    }
}
