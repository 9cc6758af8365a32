//! The other side: a process that says what it has seen, by one line of JSON each.

use std::env;
use std::process::Stdio;

use serde_json::{Value, from_str};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tower::ServiceExt;
use wt_connection::{Connection, Target};

use crate::draft::{Draft, limits};
use crate::ours::{Server, connector};

/// A process of aioquic's, killed with this handle.
pub(crate) struct Peer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts a client that makes these requests at once, on one connection.
    pub(crate) fn client(draft: Draft, server: &Server, requests: &[String]) -> Self {
        let url = server.url("/");
        Self::start(
            Command::new(python())
                .args(["-B", CLIENT, draft.number(), &url])
                .args(requests),
        )
    }

    /// Starts a server, and connects to it.
    pub(crate) async fn server(draft: Draft) -> (Self, Connection) {
        let mut server = Self::start(Command::new(python()).args(["-B", SERVER, draft.number()]));
        let said = server.event().await;
        let hash = said["hash"].as_str().unwrap().parse().unwrap();
        let target: Target = said["url"].as_str().unwrap().parse().unwrap();
        let connector = connector(hash).limits(limits());
        let connection = connector.oneshot(target).await.unwrap();
        assert_eq!(connection.generation(), draft.generation());
        (server, connection)
    }

    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn().expect(INSTALLED);
        let stdout = process.stdout.take().unwrap();
        let lines = BufReader::new(stdout).lines();
        Self { process, lines }
    }

    /// Waits until it has said all of these, in whatever order, and nothing else between.
    pub(crate) async fn says(&mut self, expected: impl IntoIterator<Item = Value>) {
        let mut expected = Vec::from_iter(expected);
        while !expected.is_empty() {
            let event = self.event().await;
            let place = expected.iter().position(|expected| *expected == event);
            expected.swap_remove(place.unwrap_or_else(|| panic!("it says {event}")));
        }
    }

    /// Waits until a client has ended well, all of its requests being over.
    pub(crate) async fn ends(mut self) {
        assert_eq!(self.lines.next_line().await.unwrap(), None);
        assert!(self.process.wait().await.unwrap().success());
    }

    /// Waits for what it says next.
    pub(crate) async fn event(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap();
        from_str(&line.expect("it has not ended yet")).unwrap()
    }
}

/// The interpreter that aioquic is installed for.
fn python() -> String {
    env::var("WT_AIOQUIC_PYTHON").unwrap_or_else(|_| PYTHON.to_owned())
}

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aioquic/client.py");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aioquic/server.py");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/aioquic/bin/python");
const INSTALLED: &str = "WT_AIOQUIC_PYTHON or target/aioquic/bin/python has aioquic installed";
