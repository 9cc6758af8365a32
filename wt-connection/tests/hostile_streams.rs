//! Streams that never say what they are, by the thousand, and a control stream that never ends.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;
use std::time::Duration;

use common::bare::goaway;
use common::bounded::{once, within};
use common::hostile::{Bystander, ROLES, Rig, Role};
use common::raw::{
    self, BUFFERED_STREAM_REJECTED, H3_REQUEST_CANCELLED, H3_REQUEST_INCOMPLETE, SESSION_GONE,
    frame, reset_code, stop_code,
};
use tokio::time::{Instant, interval};
use wt_connection::Limits;

#[tokio::test]
async fn thousands_of_streams_without_their_header_are_given_up_and_hold_up_nobody() {
    within(async {
        let limits = Limits::default().header_timeout(Duration::from_millis(250));
        let bystander = Bystander::new(limits).await;
        for role in ROLES {
            let rig = Rig::new(&bystander, role).await;
            // Nothing at all, half a type, half a session's id, and half a request.
            let starts: [&[u8]; 3] = [&[0x40], &[0x40, 0x41, 0x40], &[0x40, 0x54, 0x80]];
            let mut given_up = 0;
            while given_up < 2_000 {
                let (mut uni, mut bi) = (Vec::new(), Vec::new());
                while let Some(opened) = once(pin!(rig.peer.quic.open_uni())).await {
                    let mut send = opened.unwrap();
                    let start = starts[if uni.len() % 2 == 0 { 0 } else { 2 }];
                    send.write_all(start).await.unwrap();
                    uni.push(send);
                }
                while let Some(opened) = once(pin!(rig.peer.quic.open_bi())).await {
                    let (mut send, recv) = opened.unwrap();
                    let start = starts[bi.len() % 2];
                    send.write_all(start).await.unwrap();
                    bi.push((send, recv));
                }
                assert!(uni.len() <= 260 && bi.len() <= 384, "{role:?}");
                bystander.unharmed().await;

                given_up += uni.len() + bi.len();
                for mut send in uni {
                    assert_eq!(stop_code(&send).await, H3_REQUEST_CANCELLED);
                    send.reset(7_u8.into()).unwrap();
                }
                for (mut send, mut recv) in bi {
                    assert_eq!(reset_code(&mut recv).await, H3_REQUEST_CANCELLED);
                    assert_eq!(stop_code(&send).await, H3_REQUEST_CANCELLED);
                    send.reset(7_u8.into()).unwrap();
                }
                rig.other_lives().await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn streams_that_end_before_their_header_cost_nothing() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let rig = Rig::new(&bystander, role).await;
            for start in [
                &[][..],
                &[0x40],
                &[0x40, 0x41],
                &[0x40, 0x41, 0x40],
                &[0x80, 0, 0],
            ] {
                let mut uni = rig.peer.quic.open_uni().await.unwrap();
                uni.write_all(start).await.unwrap();
                uni.finish().unwrap();
                // Read to its end, and nothing said about it.
                assert_eq!(uni.stopped().await, Ok(None), "{role:?} {start:x?}");
                let (mut bi, mut recv) = rig.peer.quic.open_bi().await.unwrap();
                bi.write_all(start).await.unwrap();
                bi.finish().unwrap();
                let code = reset_code(&mut recv).await;
                assert_eq!(code, H3_REQUEST_INCOMPLETE, "{role:?} {start:x?}");
                rig.other_lives().await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn streams_of_a_session_that_is_over_are_refused_and_the_other_lives() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let mut rig = Rig::new(&bystander, role).await;
            rig.send.finish().unwrap();
            rig.recv.read_to_end(10).await.unwrap();

            for _ in 0..600 {
                let uni = rig.peer.uni(rig.id(), b"x").await;
                assert_eq!(stop_code(&uni).await, SESSION_GONE);
                let (bi, mut recv) = rig.peer.bi(rig.id(), b"x").await;
                assert_eq!(stop_code(&bi).await, SESSION_GONE);
                assert_eq!(reset_code(&mut recv).await, SESSION_GONE);
            }

            rig.other_lives().await;
        }
        bystander.unharmed().await;
    })
    .await;
}

/// A server knows no session before a client has asked for it.
#[tokio::test]
async fn streams_for_sessions_that_a_client_never_asked_for_are_refused_and_the_other_lives() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let mut rig = Rig::new(&bystander, Role::Client).await;
        let next = rig.id() + 4;

        for never in [next, next + 4, next + 8, 1 << 60, (1 << 62) - 4] {
            let uni = rig.peer.uni(never, b"x").await;
            assert_eq!(stop_code(&uni).await, SESSION_GONE, "{never}");
            let (bi, mut recv) = rig.peer.bi(never, b"x").await;
            assert_eq!(stop_code(&bi).await, SESSION_GONE, "{never}");
            assert_eq!(reset_code(&mut recv).await, SESSION_GONE, "{never}");
        }
        rig.other_lives().await;

        // Nothing of that is left for the session that has such an id then.
        rig.renew("/").await;
        assert_eq!(rig.id(), next + 4, "one was a stream of the other");
        let _news = rig.peer.uni(rig.id(), b"news").await;
        let mut news = rig.broken().unwrap().accept_uni().await.unwrap();
        assert_eq!(news.read_chunk(10).await.unwrap().unwrap(), "news");
        rig.other_lives().await;
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn datagrams_of_a_session_that_is_over_are_dropped_and_the_other_lives() {
    within(async {
        let limits = Limits::default().early_datagrams(1);
        let bystander = Bystander::new(limits).await;
        for role in ROLES {
            let mut rig = Rig::new(&bystander, role).await;
            rig.send.finish().unwrap();
            rig.recv.read_to_end(10).await.unwrap();

            for _ in 0..600 {
                rig.peer.datagram(rig.id(), b"x");
            }

            rig.other_lives().await;
            if role == Role::Server {
                // They have taken nobody's place.
                let (mut send, _recv) = rig.peer.connect_stream().await;
                rig.peer.datagram(send.id().into(), b"early");
                rig.other_lives().await;
                send.write_all(&raw::connect("/")).await.unwrap();
                let echo = rig.peer.quic.read_datagram().await.unwrap();
                assert_eq!(&echo[1..], b"early");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn what_comes_for_sessions_that_never_come_makes_room_in_time() {
    // It was kept as long as the connection.
    within(async {
        let limits = Limits::default()
            .early_datagrams(2)
            .early_streams(2)
            .header_timeout(Duration::from_secs(1));
        let bystander = Bystander::new(limits).await;
        let rig = Rig::new(&bystander, Role::Server).await;
        let mut kept = Vec::new();
        for n in 0..2 {
            let never = (1 << 60) + 4 * n;
            rig.peer.datagram(never, b"x");
            kept.push(rig.peer.uni(never, b"x").await);
        }
        let refused = rig.peer.uni(1 << 60, b"x").await;
        assert_eq!(stop_code(&refused).await, BUFFERED_STREAM_REJECTED);

        // As long as a stream may keep its header back.
        let (mut silent, _recv) = rig.peer.quic.open_bi().await.unwrap();
        silent.write_all(&[0x40]).await.unwrap();
        assert_eq!(stop_code(&silent).await, H3_REQUEST_CANCELLED);
        let (mut send, _recv) = rig.peer.connect_stream().await;
        rig.peer.datagram(send.id().into(), b"early");
        let (mut early, mut echo) = rig.peer.bi(send.id().into(), b"early").await;
        early.finish().unwrap();
        rig.other_lives().await;
        send.write_all(&raw::connect("/")).await.unwrap();

        let datagram = rig.peer.quic.read_datagram().await.unwrap();
        assert_eq!(&datagram[1..], b"early");
        assert_eq!(echo.read_to_end(10).await.unwrap(), b"early");
        for stream in &kept {
            assert_eq!(stop_code(stream).await, BUFFERED_STREAM_REJECTED);
        }
        rig.other_lives().await;
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_control_stream_that_never_ends_holds_up_nobody() {
    // Each GOAWAY was told to each session, and nobody else had a turn while there was more to
    // read.
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for (role, frames, rounds) in [
            (Role::Client, goaway(400), 30),
            (Role::Server, goaway(0), 5),
            (Role::Server, frame(0x0d, &[9]), 5),
            (Role::Server, frame(0x21, &[]), 5),
            (Role::Client, frame(0x21, &[7; 1000]), 5),
        ] {
            let mut rig = Rig::new(&bystander, role).await;
            let _more = rig.more(90).await;
            let frames = frames.repeat(100_000 / frames.len());
            let mut longest = Duration::ZERO;
            let mut ticks = interval(Duration::from_millis(1));
            let mut last = Instant::now();
            for _ in 0..rounds {
                let mut write = Box::pin(rig.peer.control.write_all(&frames));
                loop {
                    tokio::select! {
                        biased;
                        _ = ticks.tick() => {
                            longest = longest.max(last.elapsed());
                            last = Instant::now();
                        }
                        written = &mut write => break written.unwrap(),
                    }
                }
            }
            assert!(longest < Duration::from_secs(1), "{role:?} {longest:?}");
            rig.other_lives().await;
        }
        bystander.unharmed().await;
    })
    .await;
}
