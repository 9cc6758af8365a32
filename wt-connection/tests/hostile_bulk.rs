//! What a peer does wrong while as much is under way to it as the path takes.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![expect(clippy::disallowed_types, reason = "the signatures of quinn's traits")]

mod common;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use common::bare;
use common::bounded::within;
use common::hostile::Bystander;
use common::raw::{self, H3_STREAM_CREATION_ERROR};
use quinn::congestion::{Controller, ControllerFactory};
use tokio::sync::oneshot;
use wt_connection::{Limits, Session};

#[tokio::test]
async fn a_fault_is_told_though_the_path_is_full() {
    within(async {
        let mut bystander = Bystander::new(Limits::default()).await;
        bystander.connector = bare::connector().congestion_controller(Arc::new(Narrow));
        for _ in 0..10 {
            let (peer, client, session, _exchange) = bystander.server().await;
            let upload = tokio::spawn(upload(session));
            // The streams of HTTP/3 stay open.
            let mut others = Vec::new();
            let mut stream = loop {
                let mut stream = peer.quic.accept_uni().await.unwrap();
                if raw::read_varint(&mut stream).await == 0x54 {
                    break stream;
                }
                others.push(stream);
            };
            let (begun, begins) = oneshot::channel();
            let download = tokio::spawn(async move {
                read(&mut stream, 100_000).await;
                begun.send(()).unwrap();
                read(&mut stream, usize::MAX).await;
            });
            begins.await.unwrap();

            // A second control stream.
            let mut second = peer.quic.open_uni().await.unwrap();
            second.write_all(&raw::varint(0)).await.unwrap();

            assert_eq!(peer.close_code().await, H3_STREAM_CREATION_ERROR);
            upload.await.unwrap();
            download.await.unwrap();
            client.closed().await;
            let window = client.info().congestion_window;
            assert_eq!(window, NARROW);
        }
        bystander.unharmed().await;
    })
    .await;
}

/// Sends without an end.
async fn upload(session: Session) {
    let mut stream = session.open_uni().await.unwrap();
    while stream.write_all(&[7; 1 << 16]).await.is_ok() {}
}

/// Reads so many bytes at least, unless the connection is lost.
async fn read(stream: &mut quinn::RecvStream, most: usize) {
    let mut read = 0;
    while read < most {
        let Ok(Some(chunk)) = stream.read_chunk(1 << 16, true).await else {
            return;
        };
        read += chunk.bytes.len();
    }
}

/// A window that never grows, so that bulk always fills it.
#[derive(Clone)]
struct Narrow;

const NARROW: u64 = 6_000;

impl ControllerFactory for Narrow {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(Self)
    }
}

impl Controller for Narrow {
    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        NARROW
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self)
    }

    fn initial_window(&self) -> u64 {
        NARROW
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
