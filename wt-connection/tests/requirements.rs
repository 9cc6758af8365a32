//! What a session requires of its client, besides a draft that both sides know.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;

use common::address;
use common::bounded::within;
use common::hostile::{Bystander, Foe};
use common::raw::{self, H3_MESSAGE_ERROR, reset_code, settings};
use wt_connection::Limits;

/// What a client of drafts 15 and 16 announces.
const COMPLETE: &[(u64, u64)] = &[(0x33, 1), (0x2c7c_f000, 1)];
/// The same without HTTP/3's datagrams.
const INCOMPLETE: &[(u64, u64)] = &[(0x2c7c_f000, 1)];
/// What a client of draft 02 announces, without them, too.
const OLD: &[(u64, u64)] = &[(0x2b60_3742, 1)];

#[tokio::test]
async fn sessions_of_a_client_without_datagrams_are_malformed_and_requests_are_not() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for (pairs, transport) in [
            (INCOMPLETE, quinn::TransportConfig::default()),
            (COMPLETE, without_datagrams()),
        ] {
            let foe = foe(&bystander, transport).await;
            let (mut early, mut refused) = foe.quic.open_bi().await.unwrap();
            early.write_all(&raw::connect("/")).await.unwrap();
            let (mut plain, mut response) = foe.quic.open_bi().await.unwrap();
            let get = raw::request("GET", "/", &[]);
            plain.write_all(&get).await.unwrap();
            plain.finish().unwrap();
            foe.placed().await;

            let _control = foe.control(&settings(pairs)).await;

            assert_eq!(reset_code(&mut refused).await, H3_MESSAGE_ERROR);
            assert_eq!(raw::status(&raw::read_frame(&mut response).await.1), "200");
            let (mut late, mut refused) = foe.quic.open_bi().await.unwrap();
            late.write_all(&raw::connect("/")).await.unwrap();
            assert_eq!(reset_code(&mut refused).await, H3_MESSAGE_ERROR);
            bystander.unharmed().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_draft_requires_is_not_asked_of_clients_of_older_ones() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for (pairs, transport) in [
            (COMPLETE, quinn::TransportConfig::default()),
            (OLD, without_datagrams()),
        ] {
            let foe = foe(&bystander, transport).await;
            let _control = foe.control(&settings(pairs)).await;

            let (mut connect, mut answer) = foe.quic.open_bi().await.unwrap();
            connect.write_all(&raw::connect("/")).await.unwrap();

            assert_eq!(raw::status(&raw::read_frame(&mut answer).await.1), "200");
        }
    })
    .await;
}

/// A client that has sent nothing of HTTP/3 yet.
async fn foe(bystander: &Bystander, transport: quinn::TransportConfig) -> Foe {
    let served = &bystander.served;
    let (socket, mut config) = raw::resuming_client(&served.identity);
    config.transport_config(Arc::new(transport));
    let connecting = socket.connect_with(config, address(&served.endpoint), "localhost");
    Foe {
        quic: connecting.unwrap().await.unwrap(),
        socket,
        client: None,
    }
}

fn without_datagrams() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport.datagram_receive_buffer_size(None);
    transport
}
