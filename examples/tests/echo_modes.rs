//! The example `echo` as the programs that its help text speaks of.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![cfg(unix)]

mod common;

use common::{Example, PATIENCE};
use tower::ServiceExt;
use wt_connection::{Connector, Endpoint, SessionError, Target, Trust};

#[test]
fn a_server_prints_its_url_and_hash_and_ctrl_c_ends_it_well() {
    let server = Example::start("echo", &["--serve", "127.0.0.1:0"]);

    let (url, hash) = url_and_hash(&server);
    server.interrupt();

    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert_eq!(hash.replace(':', "").len(), 64, "{hash}");
    let (status, said) = server.end();
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert_eq!(said.last().unwrap(), "closing 0 connections");
}

#[test]
fn a_client_is_done_with_a_server_that_it_trusts_by_hash() {
    let server = Example::start("echo", &["--serve", "127.0.0.1:0"]);
    let (url, hash) = url_and_hash(&server);

    let (status, said) = Example::start("echo", &[&url, &hash]).end();

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
        Example::start("echo", &["--serve", "127.0.0.1:0"]),
        Example::start("echo", &["--serve", "127.0.0.1:0"]),
    ];
    let (url, _) = url_and_hash(&servers[0]);
    let (_, hash) = url_and_hash(&servers[1]);

    let (status, said) = Example::start("echo", &[&url, &hash]).end();

    assert_eq!(status.code(), Some(1), "{said:?}");
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn ctrl_c_ends_a_server_whose_client_is_still_there() {
    let server = Example::start("echo", &["--serve", "127.0.0.1:0"]);
    let (url, hash) = url_and_hash(&server);
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

/// Waits for what a server prints first.
fn url_and_hash(server: &Example) -> (String, String) {
    loop {
        let line = server.line().expect("the server prints how to reach it");
        if let Some((_, arguments)) = line.split_once("--example echo ") {
            let (url, hash) = arguments.split_once(' ').unwrap();
            // The last of what it prints before it waits for ctrl-c.
            while !server.line().unwrap().ends_with("}] })") {}
            return (url.to_owned(), hash.to_owned());
        }
    }
}
