//! Packets that are none of the connection's, amid those that are, on their way to both sides.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::bounded::within;
use common::hostile::{Bystander, echoed};
use common::path::stand_between;
use common::{LOOPBACK, address, target};
use tokio::net::UdpSocket;
use tower::ServiceExt;
use wt_connection::{ConnectionState, Connector, DangerousNoVerification, Endpoint, Limits};

#[tokio::test]
async fn a_session_goes_on_amid_packets_that_are_not_its_own() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let path = Noisy::to(address(&bystander.served.endpoint)).await;
        let connector = bystander.connector.clone();

        let client = connector.oneshot(path.address.into()).await.unwrap();
        let session = client.open("/").await.unwrap();
        path.live.store(true, Ordering::Relaxed);
        for _ in 0..200 {
            echoed(&session).await;
        }

        let sent = path.sent.load(Ordering::Relaxed);
        assert!(sent > 5_000, "{sent}");
        assert_eq!(client.state(), ConnectionState::Connected);
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_session_goes_on_while_strangers_write_to_both_sockets() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let server = address(&bystander.served.endpoint);
        let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
        let ours = builder
            .trust(DangerousNoVerification.into())
            .bind()
            .unwrap();
        let client = address(&ours);
        let connected = Connector::new(ours).oneshot(target(&bystander.served.endpoint));
        let connection = connected.await.unwrap();
        let session = connection.open("/").await.unwrap();
        let stranger = UdpSocket::bind(LOOPBACK).await.unwrap();
        let mut noise = Noise::new();

        for _ in 0..40 {
            for packet in noise.of_strangers() {
                stranger.send_to(&packet, server).await.unwrap();
                stranger.send_to(&packet, client).await.unwrap();
            }
            echoed(&session).await;
            bystander.unharmed().await;
        }
        assert_eq!(connection.state(), ConnectionState::Connected);
    })
    .await;
}

/// A path on which each packet is followed by some that look like it.
struct Noisy {
    address: SocketAddr,
    /// From here on also with what a client that has heard nothing yet would have to believe.
    live: Arc<AtomicBool>,
    /// How many packets were made up.
    sent: Arc<AtomicUsize>,
}

impl Noisy {
    async fn to(server: SocketAddr) -> Self {
        let (live, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (is_live, count) = (Arc::clone(&live), Arc::clone(&sent));
        let mut noise = Noise::new();
        let pass = move |packet: &[u8], _| {
            let mut packets = noise.like(packet, is_live.load(Ordering::Relaxed));
            count.fetch_add(packets.len(), Ordering::Relaxed);
            packets.insert(0, packet.to_vec());
            packets
        };
        Self {
            address: stand_between(server, pass).await,
            live,
            sent,
        }
    }
}

/// Makes packets up, the same ones in each run.
struct Noise {
    state: u64,
    /// The connection ids of the last long header, as they stand there.
    ids: Vec<u8>,
}

impl Noise {
    fn new() -> Self {
        Self {
            state: 7,
            // Two of 8 bytes each, each behind its length.
            ids: [&[8], &[1; 8][..], &[8], &[2; 8]].concat(),
        }
    }

    /// Packets that resemble `packet`, which is one of the connection's.
    fn like(&mut self, packet: &[u8], live: bool) -> Vec<Vec<u8>> {
        if packet[0] & 0x80 != 0 {
            let to = 6 + usize::from(packet[5]);
            self.ids = packet[5..=to + usize::from(packet[to])].to_vec();
        }
        let mut flipped = packet.to_vec();
        let place = self.number() % flipped.len();
        flipped[place] ^= 1 << (self.number() % 8);
        let mut foreign = packet.to_vec();
        foreign.truncate(60);
        let start = foreign.len().min(9);
        // Behind the connection id, as a packet of other keys, or a stateless reset.
        let random = self.bytes(foreign.len() - start);
        foreign[start..].copy_from_slice(&random);
        let mut like = vec![
            packet.to_vec(),
            flipped,
            foreign,
            packet[..packet.len() / 2].to_vec(),
            packet[..1].to_vec(),
            self.long(0xf0, 1, 50),
            self.long(0xc0, 1, 1100),
            self.long(0xe0, 1, 60),
        ];
        if live {
            like.extend(self.of_strangers());
        }
        like
    }

    /// Packets that anybody can send.
    fn of_strangers(&mut self) -> Vec<Vec<u8>> {
        let mut packets = vec![Vec::new()];
        for length in [1, 2, 20, 21, 42, 600, 1200, 1400] {
            let mut garbage = self.bytes(length);
            packets.push(garbage.clone());
            // A short header, as a stateless reset has it.
            garbage[0] = 0x40 | garbage[0] & 0x3f;
            packets.push(garbage);
        }
        // Version negotiation, with versions and without; Retry; Initial, 0-RTT and Handshake; and
        // versions that nobody knows.
        for (first, version, length) in [
            (0x80, 0, 0),
            (0xc0, 0, 4),
            (0xff, 0, 8),
            (0xf0, 1, 16),
            (0xff, 1, 60),
            (0xc3, 1, 1200),
            (0xd3, 1, 60),
            (0xe3, 1, 60),
            (0xc3, 0xbaba_baba, 1200),
            (0xc3, 0x6b33_43cf, 1200),
        ] {
            packets.push(self.long(first, version, length));
        }
        packets
    }

    /// A packet with a long header, of the last connection ids.
    fn long(&mut self, first: u8, version: u32, length: usize) -> Vec<u8> {
        let payload = self.bytes(length);
        [&[first][..], &version.to_be_bytes(), &self.ids, &payload].concat()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }

    /// By xorshift.
    fn number(&mut self) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state as usize
    }
}
