//! Flow control of each session, against a peer that says every byte by hand.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bounded::{cancel, once, within};
use common::hostile::claim;
use common::plain::{Exchange, session};
use common::raw::{self, Raw, data, read_varint, reset_code, varint};
use tower::ServiceExt;
use wt_connection::{Connection, Generation, Limits, Session, SessionError, WriteError};

const WT_FLOW_CONTROL_ERROR: u64 = 0x045d_4487;
const MAX_DATA: u64 = 0x190b_4d3d;
const MAX_STREAMS_BIDI: u64 = 0x190b_4d3f;
const MAX_STREAMS_UNI: u64 = 0x190b_4d40;
const DATA_BLOCKED: u64 = 0x190b_4d41;
const STREAMS_BLOCKED_BIDI: u64 = 0x190b_4d43;
const STREAMS_BLOCKED_UNI: u64 = 0x190b_4d44;

const ENABLED_15: (u64, u64) = (0x2c7c_f000, 1);

#[tokio::test]
async fn writes_wait_for_credit_and_say_so_once() {
    within(async {
        let mut peer = Peer::new(10, 1, 1).await;
        let mut stream = peer.session.open_uni().await.unwrap();

        // Half of it at once, the other half on its way when there is room for it.
        assert_eq!(stream.write(&[7; 16]).await, Ok(10));
        let say_more = async {
            assert_eq!(peer.heard().await, (DATA_BLOCKED, 10));
            peer.say(MAX_DATA, 20).await;
            assert_eq!(peer.heard().await, (DATA_BLOCKED, 20));
            peer.say(MAX_DATA, 26).await;
        };
        let (written, ()) = tokio::join!(stream.write_all(&[8; 16]), say_more);
        written.unwrap();
        stream.finish().unwrap();
        let mut received = peer.uni().await;
        let all = received.read_to_end(100).await.unwrap();
        assert_eq!(all, [&[7; 10][..], &[8; 16]].concat());
    })
    .await;
}

#[tokio::test]
async fn chunks_are_written_as_far_as_there_is_credit() {
    within(async {
        let mut peer = Peer::new(5, 1, 1).await;
        let mut stream = peer.session.open_uni().await.unwrap();
        let mut chunks = [
            bytes::Bytes::new(),
            bytes::Bytes::from_static(b"abc"),
            bytes::Bytes::from_static(b"defg"),
        ];

        cancel(stream.write_chunks(&mut chunks)).await;

        assert_eq!(chunks, ["", "", "fg"]);
        peer.say(MAX_DATA, 7).await;
        stream.write_chunks(&mut chunks).await.unwrap();
        stream.finish().unwrap();
        let mut received = peer.uni().await;
        assert_eq!(received.read_to_end(100).await.unwrap(), b"abcdefg");
    })
    .await;
}

#[tokio::test]
async fn streams_share_the_credit_of_their_session_alone() {
    within(async {
        let mut peer = Peer::new(10, 2, 1).await;
        let mut first = peer.session.open_uni().await.unwrap();
        let (other, _exchange) = peer.another().await;
        let mut second = peer.session.open_bi().await.unwrap();

        assert_eq!(first.write(&[7; 6]).await, Ok(6));
        assert_eq!(second.send.write(&[7; 6]).await, Ok(4));
        cancel(first.write(&[7])).await;

        let mut stream = other.open_uni().await.unwrap();
        assert_eq!(stream.write(&[7; 16]).await, Ok(10));
        peer.say(MAX_DATA, 11).await;
        assert_eq!(first.write(&[7]).await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn streams_wait_until_more_may_be_opened() {
    within(async {
        let mut peer = Peer::new(10, 1, 0).await;
        let _first = peer.session.open_bi().await.unwrap();

        let session = peer.session.clone();
        let mut second = pin!(session.open_bi());
        assert!(once(second.as_mut()).await.is_none());
        assert_eq!(peer.heard().await, (STREAMS_BLOCKED_BIDI, 1));
        cancel(peer.session.open_uni()).await;
        assert_eq!(peer.heard().await, (STREAMS_BLOCKED_UNI, 0));
        peer.say(MAX_STREAMS_BIDI, 2).await;
        peer.say(MAX_STREAMS_UNI, 1).await;

        let _second = second.await.unwrap();
        let _uni = peer.session.open_uni().await.unwrap();
        cancel(peer.session.open_bi()).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_given_up_before_it_is_opened_uses_nothing_up() {
    within(async {
        let mut peer = Peer::new(10, 1, 1).await;
        let first = peer.session.open_uni().await.unwrap();

        for _ in 0..10 {
            cancel(peer.session.open_uni()).await;
        }
        drop(first);
        peer.say(MAX_STREAMS_UNI, 2).await;

        let _second = peer.session.open_uni().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_the_application_reads_is_credit_again() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        let mut sent = peer.raw.uni(peer.id(), &[7; 100]).await;
        let mut received = peer.session.accept_uni().await.unwrap();
        assert_eq!(received.read_chunk(49).await.unwrap().unwrap().len(), 49);
        assert_eq!(received.read_chunk(1).await.unwrap().unwrap().len(), 1);

        assert_eq!(peer.heard().await, (MAX_DATA, 150));
        sent.write_all(&[7; 50]).await.unwrap();
        sent.finish().unwrap();
        received.read_to_end(1000).await.unwrap();
        // At once or in two steps, as it was read.
        let (mut ty, mut limit) = peer.heard().await;
        if limit == 200 {
            (ty, limit) = peer.heard().await;
        }
        assert_eq!((ty, limit), (MAX_DATA, 250));
    })
    .await;
}

#[tokio::test]
async fn what_is_never_read_is_credit_again() {
    within(async {
        let limits = Limits::default().session_credit(100, 8, 8);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        let mut reset = peer.raw.uni(peer.id(), &[7; 10]).await;
        let mut received = peer.session.accept_uni().await.unwrap();
        reset.reset(7_u8.into()).unwrap();
        let _ = received.read_to_end(1000).await;
        let (ty, reset) = peer.heard().await;
        assert!(ty == MAX_DATA && reset > 100);

        let _stopped = peer.raw.uni(peer.id(), &[7; 10]).await;
        let mut received = peer.session.accept_uni().await.unwrap();
        received.stop(7).unwrap();
        let (ty, stopped) = peer.heard().await;
        assert!(ty == MAX_DATA && stopped > reset);

        let _dropped = peer.raw.uni(peer.id(), &[7; 10]).await;
        drop(peer.session.accept_uni().await.unwrap());
        let (ty, dropped) = peer.heard().await;
        assert!(ty == MAX_DATA && dropped > stopped);
    })
    .await;
}

#[tokio::test]
async fn streams_that_are_over_make_room_for_others() {
    within(async {
        let limits = Limits::default().session_credit(100, 2, 2);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        let (_sent, _answer) = peer.raw.bi(peer.id(), b"").await;
        let stream = peer.session.accept_bi().await.unwrap();
        let (send, recv) = stream.split();
        drop(recv);
        drop(peer.raw.uni(peer.id(), b"").await);
        drop(peer.session.accept_uni().await.unwrap());
        // The other direction of the first is still of use.
        let heard = peer.heard_of(MAX_STREAMS_UNI).await;
        assert_eq!(heard, 3);
        drop(send);

        assert_eq!(peer.heard_of(MAX_STREAMS_BIDI).await, 3);
    })
    .await;
}

#[tokio::test]
async fn streams_that_stay_open_do_not_keep_others_out() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;
        let mut sent = Vec::new();
        let mut open = Vec::new();
        for _ in 0..4 {
            sent.push(peer.raw.uni(peer.id(), b"x").await);
            open.push(peer.session.accept_uni().await.unwrap());
        }

        drop(open.pop());

        assert_eq!(peer.heard_of(MAX_STREAMS_UNI).await, 5);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_is_blocked_is_told_of_whatever_there_is() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;
        // Most of it on a stream that nobody reads.
        let _unread = peer.raw.uni(peer.id(), &[7; 60]).await;
        let _first = peer.session.accept_uni().await.unwrap();
        let _sent = peer.raw.uni(peer.id(), &[7; 40]).await;
        let mut second = peer.session.accept_uni().await.unwrap();
        assert_eq!(second.read_chunk(40).await.unwrap().unwrap().len(), 40);

        peer.say(DATA_BLOCKED, 100).await;

        assert_eq!(peer.heard_of(MAX_DATA).await, 140);
    })
    .await;
}

#[tokio::test]
async fn streams_that_end_before_their_header_are_credit_again() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        for _ in 0..2 {
            let mut uni = peer.raw.quic.open_uni().await.unwrap();
            uni.reset(7_u8.into()).unwrap();
        }
        assert!(peer.heard_of(MAX_STREAMS_UNI).await >= 5);
        for _ in 0..2 {
            let (mut bi, _recv) = peer.raw.quic.open_bi().await.unwrap();
            bi.reset(7_u8.into()).unwrap();
        }

        assert!(peer.heard_of(MAX_STREAMS_BIDI).await >= 5);
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_stopped_waits_for_no_credit() {
    within(async {
        let mut peer = Peer::new(4, 1, 1).await;
        let mut stream = peer.session.open_uni().await.unwrap();
        stream.write_all(&[7; 4]).await.unwrap();
        let mut received = peer.uni().await;
        let stop = async {
            assert_eq!(peer.heard().await, (DATA_BLOCKED, 4));
            received
                .stop(0x52e4_a40f_a8db_u64.try_into().unwrap())
                .unwrap();
        };

        let (written, ()) = tokio::join!(stream.write(&[7; 4]), stop);

        assert_eq!(written, Err(WriteError::Stopped(Some(0))));
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_finished_waits_for_no_credit() {
    within(async {
        let peer = Peer::new(4, 1, 1).await;
        let mut stream = peer.session.open_uni().await.unwrap();
        stream.write_all(&[7; 4]).await.unwrap();
        stream.finish().unwrap();

        assert_eq!(stream.write(&[7; 4]).await, Err(WriteError::Finished));
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_credit_learns_that_the_session_is_over() {
    within(async {
        let peer = Peer::new(4, 0, 1).await;
        let mut stream = peer.session.open_uni().await.unwrap();
        stream.write_all(&[7; 4]).await.unwrap();
        let close = async { peer.session.close(7, "over") };

        let (written, opened, ()) =
            tokio::join!(stream.write(&[7; 4]), peer.session.open_bi(), close);

        let Err(SessionError::Closed(close)) = opened else {
            panic!("opened, or closed otherwise: {opened:?}");
        };
        assert_eq!(close.code(), 7);
        assert_eq!(
            written,
            Err(WriteError::Session(SessionError::Closed(close)))
        );
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_opens_too_many_streams_loses_its_session() {
    within(async {
        let limits = Limits::default().session_credit(100, 2, 2);
        for uni in [false, true] {
            let mut peer = Peer::with(limits, 10, 1, 1).await;
            let (other, exchange) = peer.another().await;
            let mut streams = Vec::new();
            for _ in 0..3 {
                match uni {
                    true => streams.push(peer.raw.uni(peer.id(), b"").await),
                    false => streams.push(peer.raw.bi(peer.id(), b"").await.0),
                }
            }

            peer.is_broken().await;
            common::plain::converse(&other, &exchange, &peer.raw).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_sends_too_much_loses_its_session() {
    within(async {
        let limits = Limits::default().session_credit(100, 2, 2);
        let mut peer = Peer::with(limits, 10, 1, 1).await;
        let mut sent = peer.raw.uni(peer.id(), &[7; 1000]).await;
        sent.finish().unwrap();
        let mut received = peer.session.accept_uni().await.unwrap();

        let read = received.read_to_end(10_000).await;

        peer.is_broken().await;
        drop(read);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_lowers_a_limit_loses_its_session() {
    within(async {
        for (ty, lower) in [(MAX_DATA, 9), (MAX_STREAMS_BIDI, 1), (MAX_STREAMS_UNI, 1)] {
            let mut peer = Peer::new(10, 2, 2).await;
            let (other, exchange) = peer.another().await;
            // The same once more is none lower.
            peer.say(MAX_DATA, 10).await;
            peer.session.send_datagram(b"alive").unwrap();
            peer.raw.quic.read_datagram().await.unwrap();
            assert!(peer.session.open_uni().await.is_ok());

            peer.say(ty, lower).await;

            peer.is_broken().await;
            common::plain::converse(&other, &exchange, &peer.raw).await;
        }
    })
    .await;
}

#[tokio::test]
async fn capsules_of_flow_control_mean_nothing_where_it_is_off() {
    within(async {
        let (raw, client, _connector) = raw::server(&raw::ENABLED).await;
        let (opened, mut exchange) = session(&client, &raw).await;

        for ty in [MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI] {
            exchange.write(&data(&capsule(ty, 0))).await;
        }

        let mut stream = opened.open_uni().await.unwrap();
        stream.write_all(b"content").await.unwrap();
        common::plain::converse(&opened, &exchange, &raw).await;
    })
    .await;
}

#[tokio::test]
async fn without_flow_control_new_drafts_carry_one_session_at_a_time() {
    within(async {
        let settings = [&raw::ENABLED[..], &[ENABLED_15]].concat();
        let (raw, client, _connector) = raw::server(&settings).await;
        assert_eq!(client.generation(), Generation::Draft15);
        assert_eq!(client.max_sessions(), 1);

        let (_opened, _exchange) = session(&client, &raw).await;

        let mut second = client.clone();
        cancel(second.ready()).await;
    })
    .await;
}

/// A server by hand of the newest draft, and a session of a client of ours with it.
struct Peer {
    raw: Raw,
    client: Connection,
    session: Session,
    exchange: Exchange,
    /// Its socket stays open as long as the session is of use.
    _connector: wt_connection::Connector,
}

impl Peer {
    /// Grants so many bytes and streams.
    async fn new(bytes: u64, bi: u64, uni: u64) -> Self {
        Self::with(Limits::default(), bytes, bi, uni).await
    }

    async fn with(limits: Limits, bytes: u64, bi: u64, uni: u64) -> Self {
        let credit = [(0x2b61, bytes), (0x2b65, bi), (0x2b64, uni)];
        let settings = [&raw::ENABLED[..], &[ENABLED_15], &credit].concat();
        let (socket, connector, target) = raw::raw_server();
        let connector = connector.limits(limits);
        let connecting = connector.clone().oneshot(target);
        let accept = async {
            let quic = socket.accept().await.unwrap().await.unwrap();
            raw::start(quic, socket, &settings).await
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

    fn id(&self) -> u64 {
        self.session.id().into()
    }

    async fn another(&self) -> (Session, Exchange) {
        session(&self.client, &self.raw).await
    }

    async fn say(&mut self, ty: u64, limit: u64) {
        self.exchange.write(&data(&capsule(ty, limit))).await;
    }

    /// The next capsule, which has to be one of flow control.
    async fn heard(&mut self) -> (u64, u64) {
        let recv = &mut self.exchange.recv;
        assert_eq!(read_varint(recv).await, 0);
        let _frame = read_varint(recv).await;
        let ty = read_varint(recv).await;
        let _capsule = read_varint(recv).await;
        (ty, read_varint(recv).await)
    }

    /// What the next capsule of this type says.
    async fn heard_of(&mut self, wanted: u64) -> u64 {
        loop {
            let (ty, limit) = self.heard().await;
            if ty == wanted {
                return limit;
            }
        }
    }

    /// The next unidirectional stream of the session, behind its header.
    async fn uni(&self) -> quinn::RecvStream {
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

    /// Waits until the session is given up for its flow control.
    async fn is_broken(&mut self) {
        assert_eq!(
            reset_code(&mut self.exchange.recv).await,
            WT_FLOW_CONTROL_ERROR
        );
        let code = WT_FLOW_CONTROL_ERROR;
        assert_eq!(self.session.closed().await, SessionError::Protocol { code });
    }
}

fn capsule(ty: u64, limit: u64) -> Vec<u8> {
    let limit = varint(limit);
    [claim(ty, limit.len() as u64), limit].concat()
}
