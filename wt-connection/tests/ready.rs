//! Waiting for room without tower's `ServiceExt`.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{cancel, within};
use common::{connections, connector, server_builder, session};
use tower::Service;
use wt_connection::{Connection, Connector, Endpoint, Limits, OpenError};

#[tokio::test]
async fn a_connection_is_readied_and_called() {
    within(async {
        let (_endpoints, mut client, server) = one_at_a_time().await;

        let opening = client.ready().await.unwrap().call(request());
        let accept = async { server.accept().await.unwrap().accept().await.unwrap() };
        let (opened, _accepted) = tokio::join!(opening, accept);

        assert!(opened.unwrap().status().is_success());
    })
    .await;
}

#[tokio::test]
async fn readying_twice_reserves_once() {
    within(async {
        let (_endpoints, mut client, _server) = one_at_a_time().await;
        let mut other = client.clone();

        client.ready().await.unwrap();
        client.ready().await.unwrap();
        cancel(other.ready()).await;
        drop(client);

        other.ready().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_handle_that_waits_again_has_kept_its_place() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        let (opened, accepted) = session(&client, &server).await;
        let (mut first, mut second) = (client.clone(), client.clone());
        cancel(first.ready()).await;
        cancel(second.ready()).await;

        opened.close(0, "");
        accepted.closed().await;
        opened.closed().await;

        first.ready().await.unwrap();
        cancel(second.ready()).await;
    })
    .await;
}

#[tokio::test]
async fn what_opens_nothing_is_never_ready() {
    within(async {
        let (_endpoints, mut client, mut server) = one_at_a_time().await;

        let on_a_server = server.ready().await.map(drop);
        client.drain();
        let draining = client.ready().await.map(drop);
        client.close(0, "").await;
        let over = client.ready().await.map(drop);

        assert!(matches!(on_a_server, Err(OpenError::NotClient)));
        assert!(matches!(draining, Err(OpenError::Draining)));
        assert!(matches!(over, Err(OpenError::Connection(_))));
    })
    .await;
}

fn request() -> http::Request<()> {
    http::Request::get("/").body(()).unwrap()
}

async fn one_at_a_time() -> ((Endpoint, Connector), Connection, Connection) {
    let (identity, builder) = server_builder();
    let limits = Limits::default().max_sessions(1);
    let server = builder.limits(limits).bind().unwrap();
    let connector = connector(&identity);
    let (client, there) = connections(&server, &connector).await;
    ((server, connector), client, there)
}
