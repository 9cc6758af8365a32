//! Packets that a client gets in the server's name before it has heard the server.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::address;
use common::bounded::within;
use common::hostile::{Bystander, echoed};
use common::path::{Way, stand_between};
use tokio::time::Instant;
use tower::ServiceExt;
use wt_connection::{ConnectError, ConnectionError, Limits};

/// RFC 9000 has a client give the attempt up (§6.2): it has no other version, and nothing tells the
/// packet from a server's.
#[tokio::test]
async fn a_version_negotiation_before_all_else_ends_the_attempt_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for versions in [&[0x6b33_43cf][..], &[0xbaba_baba, 2], &[]] {
            let versions = versions.to_vec();
            let path = forging(&bystander, move |ids| vec![ids.versions(&versions)]).await;
            let began = Instant::now();

            let connected = bystander.connector.clone().oneshot(path.into()).await;

            let Err(ConnectError::Lost(error)) = connected else {
                panic!("not lost: {connected:?}");
            };
            let ConnectionError::Transport { reason, .. } = &error else {
                panic!("lost otherwise: {error:?}");
            };
            assert_eq!(reason, "no common QUIC version");
            assert!(began.elapsed() < Duration::from_secs(2));
            bystander.unharmed().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_client_has_to_discard_does_not_keep_it_from_connecting() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let forgeries: [fn(&Ids) -> Vec<u8>; 8] = [
            // The version that the client speaks is among them.
            |ids| ids.versions(&[0xbaba_baba, 1]),
            // For a connection that nobody has.
            |ids| ids.strange().versions(&[0xbaba_baba]),
            // Cut off in its header.
            |ids| ids.versions(&[1])[..ids.versions(&[]).len() - 1].to_vec(),
            // A tag that proves nothing, no token, not even a tag, for another.
            |ids| ids.retry(&[7; 32 + 16]),
            |ids| ids.retry(&[0; 16]),
            |ids| ids.retry(&[7; 15]),
            |ids| ids.retry(&[]),
            |ids| ids.strange().retry(&[7; 48]),
        ];
        for (case, forge) in forgeries.into_iter().enumerate() {
            // A few times, of which none is to count.
            let path = forging(&bystander, move |ids| vec![forge(ids); 3]).await;

            let connected = bystander.connector.clone().oneshot(path.into()).await;

            let client = connected.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            echoed(&client.open("/").await.unwrap()).await;
            assert_eq!(client.info().error_count, 0, "{case}");
            bystander.unharmed().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_heard_its_server_believes_no_version_negotiation() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let mut ids = None;
        let pass = move |packet: &[u8], way| {
            let mut packets = vec![packet.to_vec()];
            match &ids {
                None => ids = Some(Ids::of(packet)),
                // Behind each of the server's.
                Some(ids) if way == Way::Down => packets.push(ids.versions(&[0xbaba_baba])),
                Some(_) => {}
            }
            packets
        };
        let path = stand_between(address(&bystander.served.endpoint), pass).await;

        let client = bystander.connector.clone().oneshot(path.into()).await;

        let session = client.unwrap().open("/").await.unwrap();
        for _ in 0..20 {
            echoed(&session).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

/// A path to the bystander's server on which what is forged comes ahead of the first answer.
async fn forging(
    bystander: &Bystander,
    forge: impl Fn(&Ids) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let mut ids = None;
    let mut answered = false;
    let pass = move |packet: &[u8], way| {
        let ids = ids.get_or_insert_with(|| Ids::of(packet));
        let mut packets = Vec::new();
        if way == Way::Down && !answered {
            answered = true;
            packets = forge(ids);
        }
        packets.push(packet.to_vec());
        packets
    };
    stand_between(address(&bystander.served.endpoint), pass).await
}

/// The connection ids of a client's first packet, each behind its length.
#[derive(Clone)]
struct Ids {
    server: Vec<u8>,
    client: Vec<u8>,
}

impl Ids {
    fn of(packet: &[u8]) -> Self {
        let middle = 6 + usize::from(packet[5]);
        let end = middle + 1 + usize::from(packet[middle]);
        Self {
            server: packet[5..middle].to_vec(),
            client: packet[middle..end].to_vec(),
        }
    }

    /// Those of a connection that there is not.
    fn strange(&self) -> Self {
        Self {
            client: [&[8][..], &[7; 8]].concat(),
            ..self.clone()
        }
    }

    /// A Version Negotiation packet, RFC 9000 §17.2.1.
    fn versions(&self, versions: &[u32]) -> Vec<u8> {
        let versions = versions.iter().flat_map(|version| version.to_be_bytes());
        let versions: Vec<u8> = versions.collect();
        self.long(0x80, 0, &self.server, &versions)
    }

    /// A Retry packet with this in place of its token and tag, RFC 9000 §17.2.5.
    fn retry(&self, token_and_tag: &[u8]) -> Vec<u8> {
        let other = [&[8][..], &[9; 8]].concat();
        self.long(0xf0, 1, &other, token_and_tag)
    }

    fn long(&self, first: u8, version: u32, source: &[u8], rest: &[u8]) -> Vec<u8> {
        [
            &[first][..],
            &version.to_be_bytes(),
            &self.client,
            source,
            rest,
        ]
        .concat()
    }
}
