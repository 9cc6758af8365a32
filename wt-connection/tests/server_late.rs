//! Handshakes that are under way as a server shuts down.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::within;
use common::path::Path;
use common::raw::{self, Raw};
use common::serve::{Served, reply};
use common::{address, serve};
use http::Request;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::service_fn;
use wt_connection::{Body, Limits};

#[tokio::test]
async fn a_client_that_asks_while_its_handshake_ends_is_answered() {
    within(async {
        let (site, stop, path) = site(Duration::from_secs(5)).await;
        let client = connect(&site, &path).await;
        let (mut send, mut recv) = client.quic.open_bi().await.unwrap();
        send.write_all(&raw::request("GET", "/", &[]))
            .await
            .unwrap();
        send.finish().unwrap();

        stop.send(()).unwrap();
        tokio::task::yield_now().await;
        path.pass_up(usize::MAX);

        assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
        assert_eq!(client.close_code().await, raw::H3_NO_ERROR);
        let report = site.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_holds_a_shutdown_up_for_a_second() {
    within(async {
        let (site, stop, path) = site(Duration::from_secs(60)).await;
        let _client = connect(&site, &path).await;
        let began = Instant::now();

        stop.send(()).unwrap();

        assert_eq!(site.serving.await.unwrap().connections, 0);
        assert!(began.elapsed() < Duration::from_secs(3));
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut_with_the_rest() {
    within(async {
        let (site, stop, path) = site(Duration::ZERO).await;
        let _client = connect(&site, &path).await;
        let began = Instant::now();

        stop.send(()).unwrap();

        assert_eq!(site.serving.await.unwrap().connections, 0);
        assert!(began.elapsed() < Duration::from_millis(700));
    })
    .await;
}

/// A server that answers everything, and a path on which it hears no more than a first packet.
async fn site(shutdown_timeout: Duration) -> (Served, oneshot::Sender<()>, Path) {
    let (stop, stopped) = oneshot::channel::<()>();
    let site = Served::set(
        Limits::default(),
        |server| {
            server
                .shutdown_timeout(shutdown_timeout)
                .shutdown_on(async {
                    let _ = stopped.await;
                })
        },
        service_fn(|_: Request<Body>| async { Ok::<_, serve::BoxError>(reply("")) }),
    );
    let path = Path::to(address(&site.endpoint)).await;
    path.pass_up(1);
    (site, stop, path)
}

/// A client to which the handshake is done.
async fn connect(site: &Served, path: &Path) -> Raw {
    let (quic, socket) = raw::quic_client_at(path.address, &site.identity).await;
    raw::start(quic, socket, &raw::ENABLED).await
}
