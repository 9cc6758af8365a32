//! Two endpoints and what is under way between them, driven by chance.
//!
//! A stream here is one direction's: sent by the side that opened it. What each side really sent,
//! read and lost is counted apart from what is tested.

mod side;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use self::side::Windows;
use self::world::{Op, World};
use crate::proto::direction::Direction;

fn windows() -> impl Strategy<Value = Windows> {
    let sizes = (1..40_u64, 1..5_u64, 1..60_u64);
    (sizes, any::<bool>(), any::<bool>()).prop_map(|((data, streams, stream), settings, early)| {
        Windows {
            data,
            streams,
            stream,
            settings,
            early,
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    (0..46_u8, 0..12_usize, 1..50_u64).prop_map(|(what, stream, amount)| match what {
        0..2 => Op::Open(Direction::Bi),
        2..4 => Op::Open(Direction::Uni),
        4..10 => Op::Write(stream, amount),
        10 => Op::WriteLess(stream, amount),
        11 => Op::Finish(stream),
        12 => Op::Reset(stream),
        13..19 => Op::Read(stream, amount),
        19 => Op::Stop(stream),
        20 => Op::Forget,
        21..25 => Op::Tell,
        25..29 => Op::Told,
        29..35 => Op::TakeCapsule,
        _ => Op::TakePacket,
    })
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    vec((0..2_usize, op()), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn endpoints_lose_no_credit_and_never_exceed_it(
        windows in [windows(), windows()],
        ops in ops(),
    ) {
        let mut world = World::new(windows);
        for (at, op) in &ops {
            world.step(*at, op);
        }

        world.finish_all();
        world.settle();
        world.check_credit();
        world.check_progress();
    }

    #[test]
    fn sessions_end_wherever_they_are(
        windows in [windows(), windows()],
        ops in ops(),
        by in 0..2_usize,
        more in ops(),
    ) {
        let mut world = World::new(windows);
        for (at, op) in &ops {
            world.step(*at, op);
        }

        world.step(by, &Op::Close);
        for (at, op) in &more {
            world.step(*at, op);
        }
        while !world.sides[1 - by].closed {
            world.step(1 - by, &Op::TakeCapsule);
        }
    }
}
