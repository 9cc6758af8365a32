//! The example `echo` as the programs that its help text speaks of.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use tokio::time::Instant;
use tower::ServiceExt;
use wt_connection::{Connector, Endpoint, SessionError, Target, Trust};

#[test]
fn a_server_prints_its_url_and_hash_and_ctrl_c_ends_it_well() {
    let server = Echo::start(&["--serve", "127.0.0.1:0"]);

    let (url, hash) = server.url_and_hash();
    server.interrupt();

    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert_eq!(hash.replace(':', "").len(), 64, "{hash}");
    let (status, said) = server.end();
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert_eq!(said.last().unwrap(), "closing 0 connections");
}

#[test]
fn a_client_is_done_with_a_server_that_it_trusts_by_hash() {
    let server = Echo::start(&["--serve", "127.0.0.1:0"]);
    let (url, hash) = server.url_and_hash();

    let (status, said) = Echo::start(&[&url, &hash]).end();

    assert_eq!(status.code(), Some(0), "{said:?}");
    for step in ["connected to", "echoed: stream", "MiB/s", "all came back"] {
        assert!(said.iter().any(|line| line.contains(step)), "{said:?}");
    }
    server.interrupt();
    assert_eq!(server.end().0.code(), Some(0));
}

#[test]
fn a_client_fails_with_a_server_of_another_hash() {
    let servers = [
        Echo::start(&["--serve", "127.0.0.1:0"]),
        Echo::start(&["--serve", "127.0.0.1:0"]),
    ];
    let (url, _) = servers[0].url_and_hash();
    let (_, hash) = servers[1].url_and_hash();

    let (status, said) = Echo::start(&[&url, &hash]).end();

    assert_eq!(status.code(), Some(1), "{said:?}");
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn ctrl_c_ends_a_server_whose_client_is_still_there() {
    let server = Echo::start(&["--serve", "127.0.0.1:0"]);
    let (url, hash) = server.url_and_hash();
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let end = runtime.block_on(async {
        let trust = Trust::hashes([hash.parse().unwrap()]);
        let connector = Connector::new(Endpoint::client(trust).unwrap());
        let target: Target = url.parse().unwrap();
        let connection = connector.connect_timeout(PATIENCE).oneshot(target).await;
        let session = connection.unwrap().open("/echo").await.unwrap();
        server.interrupt();
        tokio::time::timeout(PATIENCE, session.closed()).await
    });

    let end = end.expect("the server has ended the session in time");
    assert!(
        matches!(&end, SessionError::ClosedByPeer(close) if close.reason() == "the server shuts down"),
        "{end:?}"
    );
    let (status, said) = server.end();
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert!(
        said.contains(&"closing 1 connections".to_owned()),
        "{said:?}"
    );
}

/// A process of the example, killed with this handle.
struct Echo {
    process: Child,
    lines: Receiver<String>,
}

impl Echo {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(binary())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1000);
        thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// Waits for what a server prints first.
    fn url_and_hash(&self) -> (String, String) {
        loop {
            let line = self.line().expect("the server prints how to reach it");
            if let Some((_, arguments)) = line.split_once("--example echo ") {
                let (url, hash) = arguments.split_once(' ').unwrap();
                // The last of what it prints before it waits for ctrl-c.
                while !self.line().unwrap().ends_with("}] })") {}
                return (url.to_owned(), hash.to_owned());
            }
        }
    }

    /// Sends what ctrl-c sends, once the process listens for it.
    fn interrupt(&self) {
        let began = Instant::now();
        while !self.listens() {
            assert!(began.elapsed() < PATIENCE, "the process ignores ctrl-c");
            thread::yield_now();
        }
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether the process catches SIGINT; taken for granted where the system does not tell.
    ///
    /// It begins to after it has printed all that it prints, and until then is ended by it.
    fn listens(&self) -> bool {
        const SIGINT: u64 = 1 << (2 - 1);
        let Ok(status) = fs::read_to_string(format!("/proc/{}/status", self.process.id())) else {
            return true;
        };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_none_or(|caught| u64::from_str_radix(caught.trim(), 16).unwrap() & SIGINT != 0)
    }

    /// Waits until the process has ended: its exit status, and what else it has printed.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let said: Vec<String> = std::iter::from_fn(|| self.line()).collect();
        // A process that has closed its standard output is about to end.
        (self.process.wait().unwrap(), said)
    }

    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the process is silent"),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example, `target/<profile>/examples/echo`.
///
/// `cargo test` has built it just now; `cargo test --test echo_modes` takes what is there, however
/// old.
fn binary() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let name = format!("echo{}", env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(name);
    assert!(
        binary.exists(),
        "there is no {}: build it first, with `cargo build -p examples --examples`",
        binary.display()
    );
    binary
}

const PATIENCE: Duration = Duration::from_secs(10);
