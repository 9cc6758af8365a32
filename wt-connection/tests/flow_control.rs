//! Flow control of each session, against a peer that says every byte by hand.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bounded::{cancel, once, within};
use common::flow::{
    DATA_BLOCKED, ENABLED_15, MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI, Peer,
    STREAMS_BLOCKED_BIDI, STREAMS_BLOCKED_UNI, capsule, credit,
};
use common::plain::session;
use common::raw::{self, data};
use wt_connection::{Generation, Limits, SessionError, WriteError};

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

#[tokio::test]
async fn sessions_of_draft_12_are_bounded_by_its_settings() {
    within(async {
        let enabled = [(0x08, 1), (0x33, 1), (0xc671_706a, 2)];
        let settings = [&enabled[..], &credit(4, 1, 1)].concat();
        let mut peer = Peer::of(Limits::default(), &settings).await;
        assert_eq!(peer.client.generation(), Generation::Draft07);
        let mut stream = peer.session.open_uni().await.unwrap();

        assert_eq!(stream.write(&[7; 16]).await, Ok(4));
        cancel(stream.write(&[7])).await;
        assert_eq!(peer.heard().await, (DATA_BLOCKED, 4));
        cancel(peer.session.open_uni()).await;
        assert_eq!(peer.heard().await, (STREAMS_BLOCKED_UNI, 1));
        peer.say(MAX_DATA, 5).await;
        peer.say(MAX_STREAMS_UNI, 2).await;

        assert_eq!(stream.write(&[7; 16]).await, Ok(1));
        let _second = peer.session.open_uni().await.unwrap();
    })
    .await;
}
