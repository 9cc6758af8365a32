//! What a peer may not write on the CONNECT stream of a session, to a server and to a client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::hostile::{Bystander, H3_FRAME_ERROR, ROLES, Rig, claim, code};
use common::raw::{
    H3_MESSAGE_ERROR, H3_REQUEST_CANCELLED, SESSION_GONE, close_capsule, data, drain_capsule,
    frame, headers, reset_code, settings, stop_code, varint,
};
use common::serve::H3_FRAME_UNEXPECTED;
use wt_connection::Limits;

const DATA: u64 = 0x00;
const CLOSE: u64 = 0x2843;
const DRAIN: u64 = 0x78ae;
const UNKNOWN: u64 = 0x29 * 1000 + 0x17;
const LARGEST: u64 = (1 << 62) - 1;

#[tokio::test]
async fn capsules_that_break_the_rules_cost_their_session_alone() {
    let late = |more: &[u8]| data(&[&close_capsule(7, b"over"), more].concat());
    let cases = [
        data(&claim(CLOSE, LARGEST)),
        data(&claim(CLOSE, 4 + 1025)),
        data(&close_capsule(7, &[b'x'; 1025])),
        data(&close_capsule(7, &[b'x'; 60_000])),
        data(&close_capsule(7, b"\xff")),
        // A surrogate, an encoding that is not the shortest, and one that is cut off.
        data(&close_capsule(7, b"\xed\xa0\x80")),
        data(&close_capsule(7, b"\xc0\xaf")),
        data(&close_capsule(7, "é".as_bytes().split_at(1).0)),
        data(&frame(CLOSE, &[])),
        data(&frame(CLOSE, &[0, 0, 0])),
        data(&frame(DRAIN, b"x")),
        data(&claim(DRAIN, LARGEST)),
        // Of HTTP/2's alone: WT_MAX_STREAM_DATA and WT_STREAM_DATA_BLOCKED.
        data(&frame(0x190b_4d3e, &[0, 0])),
        data(&claim(0x190b_4d42, LARGEST)),
        late(b"x"),
        late(&drain_capsule()),
        late(&close_capsule(7, b"over")),
        late(&claim(UNKNOWN, LARGEST)),
    ];
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for case in &cases {
                let mut rig = Rig::new(&bystander, role).await;
                let start = case.len().min(40);
                let case_start = &case[..start];
                rig.send.write_all(case).await.unwrap();

                let code = reset_code(&mut rig.recv).await;

                assert_eq!(code, H3_MESSAGE_ERROR, "{role:?} {case_start:x?}");
                let code = stop_code(&rig.send).await;
                assert_eq!(code, H3_MESSAGE_ERROR, "{role:?} {case_start:x?}");
                rig.other_lives().await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn data_that_comes_later_than_a_close_is_a_fault_of_that_session_alone() {
    // Only what had arrived with the close was looked at.
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for late in [
                data(b"x"),
                data(&drain_capsule()),
                data(&close_capsule(7, b"over")),
                [frame(0x21, b"x"), data(&[]), data(&claim(UNKNOWN, LARGEST))].concat(),
            ] {
                let mut rig = Rig::new(&bystander, role).await;
                closed(&mut rig).await;

                rig.send.write_all(&late).await.unwrap();

                let code = reset_code(&mut rig.recv).await;
                assert_eq!(code, H3_MESSAGE_ERROR, "{role:?} {late:x?}");
                assert_eq!(stop_code(&rig.send).await, H3_MESSAGE_ERROR, "{role:?}");
                rig.other_lives().await;
            }
            let mut rig = Rig::new(&bystander, role).await;
            closed(&mut rig).await;
            rig.send.write_all(&frame(0x03, &[0])).await.unwrap();
            assert_eq!(rig.peer.close_code().await, H3_FRAME_UNEXPECTED);
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn the_end_may_come_later_than_a_close() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let mut rig = Rig::new(&bystander, role).await;
            closed(&mut rig).await;

            let rest = [frame(0x21, b"x"), data(&[]), headers(&[("x", "y")])].concat();
            rig.send.write_all(&rest).await.unwrap();
            rig.send.finish().unwrap();

            assert_eq!(rig.recv.read_to_end(10).await.unwrap(), b"", "{role:?}");
            assert_eq!(rig.send.stopped().await, Ok(None), "{role:?}");
            rig.other_lives().await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn an_end_inside_a_capsule_costs_its_session_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let close = close_capsule(7, b"over");
            for capsule in [
                &close[..1],
                &close[..3],
                &close[..close.len() - 1],
                &claim(UNKNOWN, LARGEST),
                &claim(DRAIN, 1),
            ] {
                let mut rig = Rig::new(&bystander, role).await;
                rig.send.write_all(&data(capsule)).await.unwrap();
                rig.send.finish().unwrap();

                assert_eq!(
                    reset_code(&mut rig.recv).await,
                    H3_MESSAGE_ERROR,
                    "{role:?}"
                );
                rig.other_lives().await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn frames_that_may_not_come_end_that_connection_alone() {
    let trailers = headers(&[("x", "y")]);
    // CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, and those of HTTP/2.
    let types = [0x03, 0x05, 0x07, 0x0d, 0x02, 0x06, 0x08, 0x09];
    let mut cases: Vec<_> = types
        .map(|ty| (frame(ty, &[0]), false, H3_FRAME_UNEXPECTED))
        .into();
    cases.extend([
        (settings(&[]), false, H3_FRAME_UNEXPECTED),
        (
            [&trailers[..], &data(b"x")].concat(),
            false,
            H3_FRAME_UNEXPECTED,
        ),
        (
            [&trailers[..], &trailers].concat(),
            false,
            H3_FRAME_UNEXPECTED,
        ),
        (varint(DATA), true, H3_FRAME_ERROR),
        (claim(DATA, LARGEST), true, H3_FRAME_ERROR),
        (claim(0x21, LARGEST), true, H3_FRAME_ERROR),
    ]);
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for (frames, ends, expected) in &cases {
                let mut rig = Rig::new(&bystander, role).await;
                rig.send.write_all(frames).await.unwrap();
                if *ends {
                    rig.send.finish().unwrap();
                }

                let code = rig.peer.close_code().await;

                assert_eq!(code, *expected, "{role:?} {frames:x?}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn what_means_nothing_is_passed_over_without_an_end() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for (begin, more) in [
                (data(&claim(UNKNOWN, LARGEST)), data(&[7; 1000])),
                (claim(DATA, LARGEST), frame(UNKNOWN, &[7; 100])),
                (claim(0x21, LARGEST), vec![7; 1000]),
                (Vec::new(), frame(0x21, &[])),
                (Vec::new(), data(&[])),
                (Vec::new(), data(&drain_capsule())),
                // A capsule of one byte, in a frame for each of its bytes.
                (
                    Vec::new(),
                    [&[0x17], &[1], &[7]].map(|byte| data(byte)).concat(),
                ),
            ] {
                let mut rig = Rig::new(&bystander, role).await;
                rig.send.write_all(&begin).await.unwrap();
                let more = more.repeat(100_000 / more.len());

                // More than the window, so that it goes on only as it is let go of.
                for round in 0..14 {
                    rig.send.write_all(&more).await.unwrap();
                    if round % 4 == 0 {
                        rig.other_lives().await;
                    }
                }

                bystander.unharmed().await;
                // The session itself has gone on, too, or its code would be another.
                rig.send.reset(code(H3_REQUEST_CANCELLED)).unwrap();
                assert_eq!(reset_code(&mut rig.recv).await, H3_REQUEST_CANCELLED);
                rig.other_lives().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_close_in_a_frame_for_each_byte_is_read() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let mut rig = Rig::new(&bystander, role).await;
            let close = close_capsule(7, &[b'x'; 1024]);
            let split: Vec<_> = close.iter().flat_map(|byte| data(&[*byte])).collect();

            rig.send.write_all(&split).await.unwrap();

            assert_eq!(rig.recv.read_to_end(10).await.unwrap(), b"", "{role:?}");
            rig.other_lives().await;
        }
        bystander.unharmed().await;
    })
    .await;
}

/// Closes the session, and waits until the other side has ended it.
async fn closed(rig: &mut Rig) {
    let (_send, mut recv) = rig.peer.bi(rig.id(), b"x").await;
    let close = data(&close_capsule(7, b"over"));
    rig.send.write_all(&close).await.unwrap();
    assert_eq!(reset_code(&mut recv).await, SESSION_GONE);
}
