//! A server in a process of its own, which can be killed.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{self, Command, Stdio};

use http::{Request, Response};
use tower::service_fn;
use wt_connection::{Body, Endpoint, Identity, Server, Upgrade};

use crate::common::plain::{Answer, Channel, any, feed, full};

/// A child process that serves sessions and requests, and dies with this handle.
pub(crate) struct Child {
    process: process::Child,
    pub(crate) address: SocketAddr,
}

impl Child {
    /// Runs the test of this name once more, in a child process where [`serve_if_child`] serves.
    pub(crate) async fn start(test: &'static str, address: SocketAddr, keyed: bool) -> Self {
        let started = tokio::task::spawn_blocking(move || {
            let mut process = Command::new(env::current_exe().unwrap())
                .args(["--exact", test, "--nocapture"])
                .env(ADDRESS, address.to_string())
                .env(KEYED, if keyed { "yes" } else { "no" })
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap();
            let stdout = BufReader::new(process.stdout.take().unwrap());
            let address = stdout
                .lines()
                .find_map(|line| line.unwrap().split_once(SERVING)?.1.parse().ok())
                .unwrap();
            Self { process, address }
        });
        started.await.unwrap()
    }

    /// Has the process end in order: it closes its endpoint.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub(crate) fn end(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Ends the process without a chance to say anything (SIGKILL), and frees its port.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says whether this is a child process, after having served until the parent is gone.
pub(crate) async fn serve_if_child() -> bool {
    let Ok(address) = env::var(ADDRESS) else {
        return false;
    };
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let mut builder = Endpoint::builder().address(address.parse().unwrap());
    if env::var(KEYED).unwrap() == "yes" {
        builder = builder.stateless_reset_key([7; 64]);
    }
    let endpoint = builder.identity(identity).bind().unwrap();
    println!("{SERVING}{}", endpoint.local_address().unwrap());
    let serving = tokio::spawn(Server::new(endpoint.clone()).serve(service_fn(app)));
    // The parent's end of the pipe closes with the parent.
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    parent.await.unwrap().unwrap();
    endpoint.close(0, "").await;
    serving.abort();
    true
}

/// Keeps sessions open, and begins a response to any other request.
async fn app(mut request: Request<Body>) -> Answer {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move { drop(session.await.unwrap().closed().await) });
        return Ok(Response::new(full("")));
    }
    let (send, body) = Channel::new();
    tokio::spawn(async move {
        feed(&send, "content").await;
        send.closed().await;
    });
    Ok(Response::new(any(body)))
}

const ADDRESS: &str = "WT_CONNECTION_CHILD_ADDRESS";
const KEYED: &str = "WT_CONNECTION_CHILD_KEYED";
const SERVING: &str = "serving at ";
