//! What a peer does wrong while as much is under way to it as the path takes.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![expect(clippy::disallowed_types, reason = "the signatures of quinn's traits")]

mod common;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use common::LOOPBACK;
use common::bounded::within;
use common::hostile::Bystander;
use common::plain::Exchange;
use common::raw::{self, H3_NO_ERROR, H3_STREAM_CREATION_ERROR, Raw};
use quinn::congestion::{Controller, ControllerFactory};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use wt_connection::{Connection, Connector, DangerousNoVerification, Endpoint, Limits, Session};

#[tokio::test]
async fn a_fault_is_told_though_the_path_is_full() {
    within(async {
        for _ in 0..10 {
            let full = Full::new().await;

            // A second control stream.
            let mut second = full.peer.quic.open_uni().await.unwrap();
            second.write_all(&raw::varint(0)).await.unwrap();

            assert_eq!(full.peer.close_code().await, H3_STREAM_CREATION_ERROR);
            full.over().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_end_that_this_side_wants_is_told_though_the_path_is_full() {
    within(async {
        for round in 0..10 {
            let mut full = Full::new().await;

            let (connection, endpoint) = (full.client.clone(), full.endpoint.clone());
            let end = async {
                match round % 2 {
                    0 => connection.close(0, "over").await,
                    _ => endpoint.close(0, "over").await,
                }
            };

            let told = async {
                // The session's end comes first, and waits for an answer.
                let _ = full.exchange.recv.read_to_end(1000).await;
                full.exchange.send.finish().unwrap();
                full.peer.close_code().await
            };

            let (code, ()) = tokio::join!(told, end);
            assert_eq!(code, H3_NO_ERROR);
        }
    })
    .await;
}

/// A client of ours that sends to a peer as much as the path takes.
struct Full {
    bystander: Bystander,
    peer: Raw,
    client: Connection,
    endpoint: Endpoint,
    /// The session's own stream.
    exchange: Exchange,
    transfer: JoinSet<()>,
}

impl Full {
    async fn new() -> Self {
        let mut bystander = Bystander::new(Limits::default()).await;
        let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
        let endpoint = builder
            .trust(DangerousNoVerification.into())
            .bind()
            .unwrap();
        let connector = Connector::new(endpoint.clone());
        bystander.connector = connector.congestion_controller(Arc::new(Narrow));
        let (peer, client, session, exchange) = bystander.server().await;
        let mut transfer = JoinSet::new();
        transfer.spawn(upload(session));
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
        transfer.spawn(async move {
            read(&mut stream, 100_000).await;
            begun.send(()).unwrap();
            read(&mut stream, usize::MAX).await;
            drop(others);
        });
        begins.await.unwrap();
        Self {
            bystander,
            peer,
            client,
            endpoint,
            exchange,
            transfer,
        }
    }

    /// Waits for the end of what is under way: the window was opened for the end alone.
    async fn over(self) {
        self.transfer.join_all().await;
        self.client.closed().await;
        assert_eq!(self.client.info().congestion_window, NARROW);
        self.bystander.unharmed().await;
    }
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
