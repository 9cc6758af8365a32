//! What a peer's control stream and its two of QPACK may not do, to a server and to a client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bare::goaway;
use common::bounded::within;
use common::hostile::{
    Beside, Bystander, Foe, H3_FRAME_ERROR, H3_ID_ERROR, H3_SETTINGS_ERROR, ROLES, Role, claim,
};
use common::raw::{
    self, ENABLED, H3_CLOSED_CRITICAL_STREAM, H3_MISSING_SETTINGS, H3_STREAM_CREATION_ERROR, Raw,
    frame, settings, varint,
};
use common::serve::{H3_EXCESSIVE_LOAD, H3_FRAME_UNEXPECTED};
use wt_connection::Limits;

const H3_DATAGRAM_ERROR: u64 = 0x33;
const QPACK_ENCODER_STREAM_ERROR: u64 = 0x201;
const QPACK_DECODER_STREAM_ERROR: u64 = 0x202;

const SETTINGS: u64 = 0x04;
const GOAWAY: u64 = 0x07;
const MAX_PUSH_ID: u64 = 0x0d;
const LARGEST: u64 = (1 << 62) - 1;

#[tokio::test]
async fn settings_that_break_the_rules_end_that_connection_alone() {
    let many: Vec<_> = (0..65).map(|number| (0x1000 + number, 0)).collect();
    refused(|_| {
        vec![
            (settings(&[(0x33, 1), (0x33, 1)]), H3_SETTINGS_ERROR),
            (settings(&[(0x4242, 1), (0x4242, 2)]), H3_SETTINGS_ERROR),
            (settings(&[(0x00, 0)]), H3_SETTINGS_ERROR),
            (settings(&[(0x02, 0)]), H3_SETTINGS_ERROR),
            (settings(&[(0x03, 100)]), H3_SETTINGS_ERROR),
            (settings(&[(0x04, 65_535)]), H3_SETTINGS_ERROR),
            (settings(&[(0x05, 16_384)]), H3_SETTINGS_ERROR),
            (settings(&[(0x08, 2)]), H3_SETTINGS_ERROR),
            (settings(&[(0x33, LARGEST)]), H3_SETTINGS_ERROR),
            // An id without a value, half an id, half a value.
            (frame(SETTINGS, &[0x33]), H3_FRAME_ERROR),
            (frame(SETTINGS, &[0x40]), H3_FRAME_ERROR),
            (frame(SETTINGS, &[0x33, 0xc0]), H3_FRAME_ERROR),
            (settings(&many), H3_EXCESSIVE_LOAD),
            (claim(SETTINGS, LARGEST), H3_EXCESSIVE_LOAD),
        ]
    })
    .await;
}

#[tokio::test]
async fn settings_that_are_reserved_to_mean_nothing_are_passed_over() {
    let meaningless = [0, 1, 1000, (LARGEST - 0x21) / 0x1f].map(|n| (0x1f * n + 0x21, LARGEST));
    let all = [&ENABLED[..], &meaningless].concat();
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let foe = bystander.foe(role).await;
            let control = foe.control(&settings(&all)).await;
            let peer = Raw::new(foe.quic, foe.socket, control);

            match foe.client {
                None => Beside::open(&peer).await.lives(&peer).await,
                Some(connecting) => {
                    let client = connecting.await.unwrap().unwrap();
                    let (session, exchange) = common::plain::session(&client, &peer).await;
                    common::plain::converse(&session, &exchange, &peer).await;
                }
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_control_stream_that_does_not_begin_with_settings_ends_that_connection_alone() {
    refused(|_| {
        [0x00, 0x01, 0x03, 0x05, 0x06, GOAWAY, MAX_PUSH_ID, 0x21]
            .map(|ty| (frame(ty, &[0]), H3_MISSING_SETTINGS))
            .into()
    })
    .await;
}

#[tokio::test]
async fn frames_that_break_the_rules_behind_settings_end_that_connection_alone() {
    refused(|role| {
        // DATA, HEADERS, PUSH_PROMISE, and those of HTTP/2.
        let misplaced = [0x00, 0x01, 0x05, 0x02, 0x06, 0x08, 0x09]
            .map(|ty| (frame(ty, &[0]), H3_FRAME_UNEXPECTED));
        let mut cases = vec![
            (settings(&ENABLED), H3_FRAME_UNEXPECTED),
            (frame(GOAWAY, &[]), H3_FRAME_ERROR),
            (frame(GOAWAY, &[0, 0]), H3_FRAME_ERROR),
            (frame(GOAWAY, &[0x40]), H3_FRAME_ERROR),
            (claim(GOAWAY, LARGEST), H3_FRAME_ERROR),
            ([goaway(4), goaway(8)].concat(), H3_ID_ERROR),
            ([goaway(4), goaway(0), goaway(4)].concat(), H3_ID_ERROR),
            // No push was promised.
            (frame(0x03, &[0]), H3_ID_ERROR),
        ];
        cases.extend(misplaced);
        let shrinking = [frame(MAX_PUSH_ID, &[5]), frame(MAX_PUSH_ID, &[4])];
        cases.extend(match role {
            Role::Server => vec![(shrinking.concat(), H3_ID_ERROR)],
            Role::Client => vec![
                (frame(MAX_PUSH_ID, &[5]), H3_FRAME_UNEXPECTED),
                // A server's names a request of the client's.
                (goaway(1), H3_ID_ERROR),
                (goaway(2), H3_ID_ERROR),
                (goaway(3), H3_ID_ERROR),
            ],
        });
        let behind = |(frames, code): (Vec<u8>, _)| ([settings(&ENABLED), frames].concat(), code);
        cases.into_iter().map(behind).collect()
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_critical_stream_ends_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for (ty, reset) in [
                (0, false),
                (0, true),
                (2, false),
                (2, true),
                (3, false),
                (3, true),
            ] {
                let foe = bystander.foe(role).await;
                let _control = match ty {
                    0 => None,
                    _ => Some(foe.control(&settings(&ENABLED)).await),
                };
                let opening = if ty == 0 {
                    settings(&ENABLED)
                } else {
                    Vec::new()
                };
                let mut stream = foe.uni(&[varint(ty), opening].concat()).await;
                if reset {
                    // A reset takes what has not arrived with it.
                    foe.placed().await;
                    stream.reset(0_u8.into()).unwrap();
                } else {
                    stream.finish().unwrap();
                }

                let code = foe.close_code().await;

                assert_eq!(code, H3_CLOSED_CRITICAL_STREAM, "{role:?} {ty} {reset}");
            }
            let foe = bystander.foe(role).await;
            let half = [settings(&ENABLED), claim(GOAWAY, 1)].concat();
            foe.control(&half).await.finish().unwrap();
            assert_eq!(foe.close_code().await, H3_CLOSED_CRITICAL_STREAM);
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_control_stream_of_ours_that_is_stopped_ends_that_connection_alone() {
    // Nobody noticed until GOAWAY was to be sent.
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let foe = bystander.foe(role).await;
            let _control = foe.control(&settings(&ENABLED)).await;
            let mut ours = foe.quic.accept_uni().await.unwrap();
            raw::read_settings(&mut ours).await;

            ours.stop(0_u8.into()).unwrap();

            assert_eq!(
                foe.close_code().await,
                H3_CLOSED_CRITICAL_STREAM,
                "{role:?}"
            );
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn streams_that_may_not_be_end_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            let push = match role {
                Role::Server => H3_STREAM_CREATION_ERROR,
                // It allows none, so that each has an id that is too great.
                Role::Client => H3_ID_ERROR,
            };
            for (streams, expected) in [
                (&[&[0x00][..]][..], H3_STREAM_CREATION_ERROR),
                (&[&[0x02], &[0x02]], H3_STREAM_CREATION_ERROR),
                (&[&[0x03], &[0x03]], H3_STREAM_CREATION_ERROR),
                (&[&[0x01, 0x00]], push),
                (&[&[0x40, 0x54, 1]], H3_ID_ERROR),
                (&[&[0x40, 0x54, 2]], H3_ID_ERROR),
                (&[&[0x40, 0x54, 3]], H3_ID_ERROR),
            ] {
                let foe = begun(&bystander, role).await;
                let mut kept = Vec::new();
                for stream in streams {
                    kept.push(foe.uni(stream).await);
                }

                assert_eq!(foe.close_code().await, expected, "{role:?} {streams:x?}");
            }
            for id in [1, 2, 3] {
                let foe = begun(&bystander, role).await;
                let (mut send, _recv) = foe.quic.open_bi().await.unwrap();
                send.write_all(&raw::bi_header(id)).await.unwrap();

                assert_eq!(foe.close_code().await, H3_ID_ERROR, "{role:?} {id}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn instructions_for_a_table_without_room_end_that_connection_alone() {
    // What was acknowledged though nothing had been sent was passed over.
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for (stream, expected) in [
                // Insertions, by reference and spelled out; a duplicate; a capacity of 1.
                (&[0x02, 0xc1, 1, b'x'][..], QPACK_ENCODER_STREAM_ERROR),
                (&[0x02, 0x41, b'x', 1, b'y'], QPACK_ENCODER_STREAM_ERROR),
                (&[0x02, 0x00], QPACK_ENCODER_STREAM_ERROR),
                (&[0x02, 0x21], QPACK_ENCODER_STREAM_ERROR),
                (&[0x02, 0x20, 0x3f, 0xe1, 0x1f], QPACK_ENCODER_STREAM_ERROR),
                // An acknowledgement, an increment, one by nothing, an integer without an end.
                (&[0x03, 0x84], QPACK_DECODER_STREAM_ERROR),
                (&[0x03, 0x01], QPACK_DECODER_STREAM_ERROR),
                (&[0x03, 0x00], QPACK_DECODER_STREAM_ERROR),
                (&[0x03, 0x44, 0x80], QPACK_DECODER_STREAM_ERROR),
                (
                    &[&[0x03, 0x7f][..], &[0x80; 20]].concat(),
                    QPACK_DECODER_STREAM_ERROR,
                ),
            ] {
                let foe = begun(&bystander, role).await;
                let _stream = foe.uni(stream).await;

                assert_eq!(foe.close_code().await, expected, "{role:?} {stream:x?}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn datagrams_of_no_stream_end_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for datagram in [vec![], vec![0x40], vec![0xc0; 7], varint(1 << 60)] {
                let foe = begun(&bystander, role).await;
                foe.quic.send_datagram(datagram.into()).unwrap();

                assert_eq!(foe.close_code().await, H3_DATAGRAM_ERROR, "{role:?}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

/// What a control stream may be made of, and the code that each of these costs.
async fn refused(cases: impl Fn(Role) -> Vec<(Vec<u8>, u64)>) {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for role in ROLES {
            for (frames, expected) in cases(role) {
                let foe = bystander.foe(role).await;
                let _control = foe.control(&frames).await;

                assert_eq!(foe.close_code().await, expected, "{role:?} {frames:x?}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

/// A peer whose SETTINGS are sent.
async fn begun(bystander: &Bystander, role: Role) -> Foe {
    let foe = bystander.foe(role).await;
    let mut control = foe.control(&settings(&ENABLED)).await;
    // Dropped, it would be finished.
    tokio::spawn(async move {
        let _ = control.stopped().await;
        let _ = control.finish();
    });
    foe
}
