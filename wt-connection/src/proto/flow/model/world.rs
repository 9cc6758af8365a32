use std::collections::VecDeque;

use super::side::{Packet, Side, Windows, index};
use crate::proto::capsule::Capsule;
use crate::proto::direction::Direction;

/// What one side may do next; numbers choose among its streams, whose count they may exceed.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Open(Direction),
    Write(usize, u64),
    /// Reserves, and finds that QUIC takes less.
    WriteLess(usize, u64),
    Finish(usize),
    /// Loses what is under way of the stream, its header as well if that is.
    Reset(usize),
    Read(usize, u64),
    Stop(usize),
    /// Asks for capsules, and is dropped.
    Forget,
    /// Sends the capsules that are due.
    Tell,
    /// Learns that its capsules were handed over.
    Told,
    TakeCapsule,
    TakePacket,
    Close,
}

pub(super) struct World {
    pub(super) sides: [Side; 2],
    /// To each side.
    pub(super) capsules: [VecDeque<Capsule>; 2],
    pub(super) packets: [VecDeque<Packet>; 2],
}

impl World {
    pub(super) fn new(windows: [Windows; 2]) -> Self {
        let [a, b] = windows;
        Self {
            sides: [Side::new(a, b), Side::new(b, a)],
            capsules: Default::default(),
            packets: Default::default(),
        }
    }

    pub(super) fn step(&mut self, at: usize, op: &Op) {
        if self.sides[at].closed {
            return;
        }
        let [to_a, to_b] = &mut self.packets;
        let (packets, arriving) = if at == 0 { (to_b, to_a) } else { (to_a, to_b) };
        let side = &mut self.sides[at];
        match *op {
            Op::Open(direction) => side.open(direction, packets),
            Op::Write(stream, amount) => side.write(stream, amount, amount, packets),
            Op::WriteLess(stream, amount) => side.write(stream, amount, amount / 2, packets),
            Op::Finish(stream) => side.finish(stream, packets),
            Op::Reset(stream) => side.reset(stream, packets),
            Op::Read(stream, amount) => side.read(stream, amount, packets),
            Op::Stop(stream) => side.stop(stream, packets),
            Op::Forget => drop(side.due()),
            Op::Tell => self.capsules[1 - at].extend(side.tell()),
            Op::Told => side.told(),
            Op::TakeCapsule => {
                if let Some(capsule) = self.capsules[at].pop_front() {
                    side.take_capsule(&capsule);
                }
            }
            Op::TakePacket => {
                if let Some(packet) = arriving.pop_front() {
                    side.take_packet(packet, packets);
                }
            }
            Op::Close => {
                let (code, reason) = (0, String::new());
                self.capsules[1 - at].push_back(Capsule::Close { code, reason });
                side.closed = true;
            }
        }
        self.check(at);
    }

    /// What has to hold at any time.
    pub(super) fn check(&self, at: usize) {
        let (side, peer) = (&self.sides[at], &self.sides[1 - at]);
        let most = [
            side.windows.data,
            side.windows.streams,
            side.windows.streams,
        ];
        for (n, most) in most.into_iter().enumerate() {
            assert!(side.truth.used[n] <= side.truth.allowed[n], "overrun");
            let promised = side.truth.promised[n];
            assert!(peer.truth.used[n] <= promised, "more than was announced");
            assert!(promised <= side.truth.read[n] + most, "more than a window");
        }
    }

    /// Lets everything arrive, be read and be told, until nothing happens any more.
    pub(super) fn settle(&mut self) {
        loop {
            let mut busy = false;
            for at in 0..2 {
                busy |= !self.capsules[at].is_empty() || !self.packets[at].is_empty();
                while !self.capsules[at].is_empty() {
                    self.step(at, &Op::TakeCapsule);
                }
                while !self.packets[at].is_empty() {
                    self.step(at, &Op::TakePacket);
                }
                for stream in 0..self.sides[at].receiving.len() {
                    self.step(at, &Op::Read(stream, u64::MAX));
                }
                self.step(at, &Op::Told);
                self.step(at, &Op::Tell);
            }
            busy |= self.sides.iter().any(|side| !side.untold.is_empty());
            if !busy {
                return;
            }
        }
    }

    pub(super) fn finish_all(&mut self) {
        for at in 0..2 {
            for stream in 0..self.sides[at].sending.len() {
                self.step(at, &Op::Finish(stream));
            }
        }
    }

    /// Checks that no credit was lost: with nothing under way or open, each side can send half of
    /// a window and open a stream of each kind.
    pub(super) fn check_credit(&self) {
        for at in 0..2 {
            let (side, windows) = (&self.sides[at], &self.sides[1 - at].windows);
            let left = side.truth.allowed[0] - side.truth.used[0];
            assert!(left >= windows.data.div_ceil(2), "bytes were lost");
            assert_eq!(side.data_out.left(), left);
            for n in 1..3 {
                let left = side.truth.allowed[n] - side.truth.used[n];
                assert!(left >= windows.streams.div_ceil(2), "streams were lost");
                assert!(left >= 1, "no stream can be opened");
                assert_eq!(side.streams_out[n - 1].left(), left);
            }
        }
    }

    /// Sends several windows over several windows of streams, both ways at once.
    pub(super) fn check_progress(&mut self) {
        for round in 0..4 {
            for at in 0..2 {
                let direction = [Direction::Bi, Direction::Uni][round % 2];
                let streams = self.sides[1 - at].windows.streams.div_ceil(2);
                let bytes = self.sides[1 - at].windows.data.div_ceil(2);
                let used = self.sides[at].truth.used;
                let first = self.sides[at].sending.len();
                for _ in 0..streams {
                    self.step(at, &Op::Open(direction));
                }
                while self.sides[at].truth.used[0] < used[0] + bytes {
                    let before = self.sides[at].truth.used[0];
                    self.step(at, &Op::Write(first, used[0] + bytes - before));
                    // QUIC's own window of the stream may be smaller.
                    self.settle();
                    assert!(self.sides[at].truth.used[0] > before, "nothing can be sent");
                }
                assert_eq!(
                    self.sides[at].truth.used[1 + index(direction)],
                    used[1 + index(direction)] + streams
                );
            }
            self.finish_all();
            self.settle();
            self.check_credit();
        }
    }
}
