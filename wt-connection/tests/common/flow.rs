//! Flow control of each session, said by hand.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use tower::ServiceExt;
use wt_connection::{Connection, Limits, Session};

use super::hostile::claim;
use super::plain::{Exchange, session};
use super::raw::{self, Raw, data, read_varint, varint};

pub(crate) const WT_FLOW_CONTROL_ERROR: u64 = 0x045d_4487;
pub(crate) const MAX_DATA: u64 = 0x190b_4d3d;
pub(crate) const MAX_STREAMS_BIDI: u64 = 0x190b_4d3f;
pub(crate) const MAX_STREAMS_UNI: u64 = 0x190b_4d40;
pub(crate) const DATA_BLOCKED: u64 = 0x190b_4d41;
pub(crate) const STREAMS_BLOCKED_BIDI: u64 = 0x190b_4d43;
pub(crate) const STREAMS_BLOCKED_UNI: u64 = 0x190b_4d44;

/// What enables drafts 15 and 16, beside what does the older ones.
pub(crate) const ENABLED_15: (u64, u64) = (0x2c7c_f000, 1);

/// What grants so many bytes and streams in each session.
pub(crate) const fn credit(bytes: u64, bi: u64, uni: u64) -> [(u64, u64); 3] {
    [(0x2b61, bytes), (0x2b65, bi), (0x2b64, uni)]
}

/// A server by hand, of the newest draft unless its settings say otherwise, and a session of a
/// client of ours with it.
pub(crate) struct Peer {
    pub(crate) raw: Raw,
    pub(crate) client: Connection,
    pub(crate) session: Session,
    pub(crate) exchange: Exchange,
    /// Its socket stays open as long as the session is of use.
    _connector: wt_connection::Connector,
}

impl Peer {
    /// Grants so many bytes and streams.
    pub(crate) async fn new(bytes: u64, bi: u64, uni: u64) -> Self {
        Self::with(Limits::default(), bytes, bi, uni).await
    }

    pub(crate) async fn with(limits: Limits, bytes: u64, bi: u64, uni: u64) -> Self {
        let credit = credit(bytes, bi, uni);
        let settings = [&raw::ENABLED[..], &[ENABLED_15], &credit].concat();
        Self::of(limits, &settings).await
    }

    /// Announces these settings.
    pub(crate) async fn of(limits: Limits, settings: &[(u64, u64)]) -> Self {
        let (socket, connector, target) = raw::raw_server();
        let connector = connector.limits(limits);
        let connecting = connector.clone().oneshot(target);
        let accept = async {
            let quic = socket.accept().await.unwrap().await.unwrap();
            raw::start(quic, socket, settings).await
        };
        let (client, raw) = tokio::join!(connecting, accept);
        let client = client.unwrap();
        let (session, exchange) = session(&client, &raw).await;
        Self {
            raw,
            client,
            session,
            exchange,
            _connector: connector,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.session.id().into()
    }

    pub(crate) async fn another(&self) -> (Session, Exchange) {
        session(&self.client, &self.raw).await
    }

    pub(crate) async fn say(&mut self, ty: u64, limit: u64) {
        self.exchange.write(&data(&capsule(ty, limit))).await;
    }

    /// The next capsule, which has to be one of flow control.
    pub(crate) async fn heard(&mut self) -> (u64, u64) {
        let recv = &mut self.exchange.recv;
        assert_eq!(read_varint(recv).await, 0);
        let _frame = read_varint(recv).await;
        let ty = read_varint(recv).await;
        let _capsule = read_varint(recv).await;
        (ty, read_varint(recv).await)
    }

    /// What the next capsule of this type says.
    pub(crate) async fn heard_of(&mut self, wanted: u64) -> u64 {
        loop {
            let (ty, limit) = self.heard().await;
            if ty == wanted {
                return limit;
            }
        }
    }

    /// The next unidirectional stream of the session, behind its header.
    pub(crate) async fn uni(&self) -> quinn::RecvStream {
        loop {
            let mut recv = self.raw.quic.accept_uni().await.unwrap();
            if read_varint(&mut recv).await == 0x54 {
                assert_eq!(read_varint(&mut recv).await, self.id());
                return recv;
            }
            tokio::spawn(
                async move { while let Ok(Some(_)) = recv.read_chunk(1000, true).await {} },
            );
        }
    }
}

pub(crate) fn capsule(ty: u64, limit: u64) -> Vec<u8> {
    let limit = varint(limit);
    [claim(ty, limit.len() as u64), limit].concat()
}
