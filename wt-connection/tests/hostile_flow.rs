//! What a peer may not do where flow control bounds a session, to a server and to a client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::flow::{
    DATA_BLOCKED, ENABLED_15, MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI, STREAMS_BLOCKED_BIDI,
    STREAMS_BLOCKED_UNI, WT_FLOW_CONTROL_ERROR, capsule, credit,
};
use common::hostile::{Bystander, IDLE, ROLES, Rig, Role, claim};
use common::raw::{ENABLED, H3_MESSAGE_ERROR, data, frame, reset_code, stop_code};
use wt_connection::{Limits, SessionError};

#[tokio::test]
async fn a_peer_that_opens_too_many_streams_loses_its_session_alone() {
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            let mut rig = rig(&bystander, role).await;
            for uni in [false, true] {
                rig.renew(IDLE).await;
                let mut streams = Vec::new();
                for _ in 0..=STREAMS {
                    match uni {
                        true => streams.push(rig.peer.uni(rig.id(), b"").await),
                        false => streams.push(rig.peer.bi(rig.id(), b"").await.0),
                    }
                }

                is_broken(&mut rig, WT_FLOW_CONTROL_ERROR).await;
                rig.other_lives().await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_sends_too_much_loses_its_session_alone() {
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            let mut rig = rig(&bystander, role).await;
            rig.accept_all();
            let all = [7; BYTES];
            assert!(echoes(&rig, &all).await, "{role:?}: all of it is allowed");
            // Renewed by what was read, and not by more.
            let more = [7; BYTES + 1];
            let (_send, _recv) = rig.peer.bi(rig.id(), &more).await;

            is_broken(&mut rig, WT_FLOW_CONTROL_ERROR).await;
            rig.other_lives().await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_lowers_a_limit_loses_its_session_alone() {
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            let mut rig = rig(&bystander, role).await;
            for (ty, limit) in [
                (MAX_DATA, GRANTED),
                (MAX_STREAMS_BIDI, GRANTED),
                (MAX_STREAMS_UNI, GRANTED),
            ] {
                rig.accept_all();
                // The same once more is none lower, and more is none either.
                for limit in [limit, limit + 2] {
                    let raised = data(&capsule(ty, limit));
                    rig.send.write_all(&raised).await.unwrap();
                }
                assert!(echoes(&rig, b"alive").await, "{role:?} {ty:x}");

                let lowered = data(&capsule(ty, limit + 1));
                rig.send.write_all(&lowered).await.unwrap();

                is_broken(&mut rig, WT_FLOW_CONTROL_ERROR).await;
                rig.other_lives().await;
                rig.renew("/").await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_is_no_single_integer_costs_its_session_alone() {
    let nine = [&[0xc0][..], &[0; 8]].concat();
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            let mut rig = rig(&bystander, role).await;
            for ty in ALL {
                let mut cases: Vec<_> = [&b""[..], b"\x40", b"\xc0\0\0\0", b"\x3f\x3f", &nine]
                    .map(|payload| data(&frame(ty, payload)))
                    .into();
                // Not waited for.
                cases.push(data(&claim(ty, (1 << 62) - 1)));
                for case in cases {
                    rig.send.write_all(&case).await.unwrap();

                    is_broken(&mut rig, H3_MESSAGE_ERROR).await;
                    rig.renew("/").await;
                }
                rig.other_lives().await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn more_streams_than_there_are_ids_cost_their_session_alone() {
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            let mut rig = rig(&bystander, role).await;
            for ty in [
                MAX_STREAMS_BIDI,
                MAX_STREAMS_UNI,
                STREAMS_BLOCKED_BIDI,
                STREAMS_BLOCKED_UNI,
            ] {
                rig.accept_all();
                let most = data(&capsule(ty, 1 << 60));
                rig.send.write_all(&most).await.unwrap();
                assert!(echoes(&rig, b"alive").await, "{role:?} {ty:x}");

                let more = data(&capsule(ty, (1 << 60) + 1));
                rig.send.write_all(&more).await.unwrap();

                is_broken(&mut rig, WT_FLOW_CONTROL_ERROR).await;
                rig.other_lives().await;
                rig.renew("/").await;
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn bytes_may_be_as_many_as_an_integer_can_tell() {
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            let mut rig = rig(&bystander, role).await;
            rig.accept_all();
            for ty in [MAX_DATA, DATA_BLOCKED] {
                let most = data(&capsule(ty, (1 << 62) - 1));
                rig.send.write_all(&most).await.unwrap();

                assert!(echoes(&rig, b"alive").await, "{role:?} {ty:x}");
            }
            rig.other_lives().await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_peer_may_send_is_bounded_by_the_rules_of_its_draft() {
    let (one, many) = (|id| (id, 1), |id| (id, 4));
    within(async {
        let bystander = bounded().await;
        for role in ROLES {
            for (enabled, grants, is_bounded) in [
                // Up to 06 there is no flow control, and since 12 it is on if both sides grant.
                (one(0x2b60_3742), true, false),
                (one(0x3c48_d522), true, false),
                (many(0xc671_706a), false, false),
                (many(0xc671_706a), true, true),
                (many(0x14e9_cd29), true, true),
                // 13 and 14 have it by the number of sessions, too.
                (many(0x14e9_cd29), false, true),
                (one(0x14e9_cd29), false, false),
                (one(0x2c7c_f000), true, true),
                (one(0x2c7c_f000), false, false),
            ] {
                let mut settings = vec![(0x08, 1), (0x33, 1), enabled];
                if grants {
                    settings.extend(credit(GRANTED, GRANTED, GRANTED));
                }
                let (peer, mut session) = bystander.echoing(role, &settings).await;

                let more = [7; BYTES + 1];
                let (mut send, mut echo) = peer.bi(session.id(), &more).await;
                send.finish().unwrap();

                let case = format!("{role:?} {enabled:x?} {grants}");
                if is_bounded {
                    let code = reset_code(&mut session.recv).await;
                    assert_eq!(code, WT_FLOW_CONTROL_ERROR, "{case}");
                } else {
                    let echo = echo.read_to_end(1000).await;
                    assert_eq!(echo.unwrap(), more, "{case}");
                }
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

/// Sends something in the session that is to be broken, and says whether it comes back.
async fn echoes(rig: &Rig, content: &[u8]) -> bool {
    let (mut send, mut recv) = rig.peer.bi(rig.id(), content).await;
    send.finish().unwrap();
    recv.read_to_end(1000)
        .await
        .is_ok_and(|echo| echo == content)
}

/// Waits until the session is given up with this code.
async fn is_broken(rig: &mut Rig, code: u64) {
    assert_eq!(reset_code(&mut rig.recv).await, code);
    assert_eq!(stop_code(&rig.send).await, code);
    if let Some(session) = rig.broken() {
        assert_eq!(session.closed().await, SessionError::Protocol { code });
    }
}

/// A server and a client of ours that let little pass in each session.
async fn bounded() -> Bystander {
    let limits = Limits::default().session_credit(BYTES as u32, STREAMS, STREAMS);
    Bystander::new(limits).await
}

/// Two sessions with a peer of the newest draft.
async fn rig(bystander: &Bystander, role: Role) -> Rig {
    let credit = credit(GRANTED, GRANTED, GRANTED);
    let settings = [&ENABLED[..], &[ENABLED_15], &credit].concat();
    Rig::of(bystander, role, &settings).await
}

const ALL: [u64; 6] = [
    MAX_DATA,
    MAX_STREAMS_BIDI,
    MAX_STREAMS_UNI,
    DATA_BLOCKED,
    STREAMS_BLOCKED_BIDI,
    STREAMS_BLOCKED_UNI,
];

const BYTES: usize = 100;
const STREAMS: u32 = 2;
/// Of bytes, and of streams of each kind.
const GRANTED: u64 = 200;
