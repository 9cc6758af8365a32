//! Two endpoints and what is under way between them, driven by chance.
//!
//! A stream here is one direction's: sent by the side that opened it. What each side really sent,
//! read and lost is counted apart from what is tested.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::proto::capsule::Capsule;
use crate::proto::direction::Direction;
use crate::proto::flow::{Incoming, Outgoing};

#[derive(Clone, Copy, Debug)]
struct Windows {
    data: u64,
    streams: u64,
    /// QUIC's for each stream.
    stream: u64,
    /// Whether SETTINGS had the limits, or each session starts without any.
    settings: bool,
    /// Whether bytes count when they come, or when they are read.
    early: bool,
}

/// What one side may do next; numbers choose among its streams, whose count they may exceed.
#[derive(Clone, Debug)]
enum Op {
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

/// What streams carry from one side to the other.
#[derive(Clone, Copy, Debug)]
enum Packet {
    Header(usize, Direction),
    Bytes(usize, u64),
    Finish(usize),
    Reset(usize, Direction),
    Stop(usize),
    /// More of QUIC's own credit.
    Credit(usize, u64),
}

#[derive(Debug)]
struct Sending {
    direction: Direction,
    sent: u64,
    credit: u64,
    over: bool,
}

#[derive(Debug)]
struct Receiving {
    direction: Direction,
    unread: u64,
    finished: bool,
    over: bool,
}

#[derive(Debug)]
struct Side {
    windows: Windows,
    data_in: Incoming,
    streams_in: [Incoming; 2],
    data_out: Outgoing,
    streams_out: [Outgoing; 2],
    /// The peer's window of a stream, which is QUIC's.
    stream_credit: u64,
    sending: Vec<Sending>,
    /// By the number that the peer gave them; `None` before the header, and after a reset without.
    receiving: Vec<Option<Receiving>>,
    /// What was put under way since the last word that something was handed over.
    untold: Vec<Capsule>,
    closed: bool,
    truth: Truth,
}

/// What this side knows of itself by counting; indices as in [`limits`].
#[derive(Debug, Default)]
struct Truth {
    used: [u64; 3],
    /// What has reached this side as a limit.
    allowed: [u64; 3],
    /// What this side has put under way as a limit.
    promised: [u64; 3],
    /// What takes no more room on this side, and what it has forgiven beyond.
    read: [u64; 3],
    /// The limit at which this side found too little.
    short: [Option<u64>; 3],
    /// The last limit at which this side said so.
    blocked: [Option<u64>; 3],
}

struct World {
    sides: [Side; 2],
    /// To each side.
    capsules: [VecDeque<Capsule>; 2],
    packets: [VecDeque<Packet>; 2],
}

impl World {
    fn new(windows: [Windows; 2]) -> Self {
        let [a, b] = windows;
        Self {
            sides: [Side::new(a, b), Side::new(b, a)],
            capsules: Default::default(),
            packets: Default::default(),
        }
    }

    fn step(&mut self, at: usize, op: &Op) {
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
    fn check(&self, at: usize) {
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
            assert!(
                promised <= side.truth.read[n] + most,
                "more than a window"
            );
        }
    }

    /// Lets everything arrive, be read and be told, until nothing happens any more.
    fn settle(&mut self) {
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

    fn finish_all(&mut self) {
        for at in 0..2 {
            for stream in 0..self.sides[at].sending.len() {
                self.step(at, &Op::Finish(stream));
            }
        }
    }

    /// Checks that no credit was lost: with nothing under way or open, each side can send half of
    /// a window and open a stream of each kind.
    fn check_credit(&self) {
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
    fn check_progress(&mut self) {
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

impl Side {
    fn new(windows: Windows, peer: Windows) -> Self {
        let first = |window, settings| if settings { window } else { 0 };
        let promised = limits(first, windows);
        let allowed = limits(first, peer);
        Self {
            windows,
            data_in: Incoming::data(promised[0], windows.data),
            streams_in: [Incoming::streams(promised[1], windows.streams); 2],
            data_out: Outgoing::new(allowed[0]),
            streams_out: [Outgoing::new(allowed[1]); 2],
            stream_credit: peer.stream,
            sending: Vec::new(),
            receiving: Vec::new(),
            untold: Vec::new(),
            closed: false,
            truth: Truth {
                allowed,
                promised,
                ..Truth::default()
            },
        }
    }

    fn open(&mut self, direction: Direction, packets: &mut VecDeque<Packet>) {
        let n = index(direction);
        let granted = self.streams_out[n].reserve(1);
        self.note_grant(1 + n, 1, granted);
        if granted == 0 {
            return;
        }
        self.truth.used[1 + n] += 1;
        packets.push_back(Packet::Header(self.sending.len(), direction));
        self.sending.push(Sending {
            direction,
            sent: 0,
            credit: self.stream_credit,
            over: false,
        });
    }

    /// Reserves what QUIC would take, and writes some of it.
    fn write(&mut self, stream: usize, want: u64, take: u64, packets: &mut VecDeque<Packet>) {
        let Some(sending) = self.sending.get_mut(stream).filter(|sending| !sending.over) else {
            return;
        };
        let want = want.min(sending.credit - sending.sent);
        let granted = self.data_out.reserve(want);
        let taken = granted.min(take);
        self.data_out.give_back(granted - taken);
        sending.sent += taken;
        if taken > 0 {
            packets.push_back(Packet::Bytes(stream, taken));
        }
        self.note_grant(0, want, granted);
        self.truth.used[0] += taken;
    }

    /// Checks that there was as much as possible, and notes whether that was too little.
    fn note_grant(&mut self, n: usize, want: u64, granted: u64) {
        let left = self.truth.allowed[n] - self.truth.used[n];
        assert_eq!(granted, want.min(left), "credit withheld, or made up");
        if granted < want {
            self.truth.short[n] = Some(self.truth.allowed[n]);
        }
    }

    fn finish(&mut self, stream: usize, packets: &mut VecDeque<Packet>) {
        if let Some(sending) = self.sending.get_mut(stream).filter(|sending| !sending.over) {
            sending.over = true;
            packets.push_back(Packet::Finish(stream));
        }
    }

    fn reset(&mut self, stream: usize, packets: &mut VecDeque<Packet>) {
        let finishing = |packet: &Packet| matches!(*packet, Packet::Finish(of) if of == stream);
        let finishing = packets.iter().any(finishing);
        let sending = self.sending.get_mut(stream);
        let Some(sending) = sending.filter(|sending| !sending.over || finishing) else {
            return;
        };
        sending.over = true;
        packets.retain(|packet| match *packet {
            Packet::Header(of, _) | Packet::Bytes(of, _) | Packet::Finish(of) => of != stream,
            Packet::Reset(..) | Packet::Stop(_) | Packet::Credit(..) => true,
        });
        packets.push_back(Packet::Reset(stream, sending.direction));
    }

    fn read(&mut self, stream: usize, amount: u64, packets: &mut VecDeque<Packet>) {
        let Some(Some(receiving)) = self.receiving.get_mut(stream) else {
            return;
        };
        if receiving.over {
            return;
        }
        let read = amount.min(receiving.unread);
        receiving.unread -= read;
        if receiving.finished && receiving.unread == 0 {
            receiving.over = true;
            let n = index(receiving.direction);
            self.streams_in[n].leave();
            self.truth.read[1 + n] += 1;
        }
        if read > 0 {
            packets.push_back(Packet::Credit(stream, read));
            if !self.windows.early {
                self.data_in.receive(read).expect("the peer kept the limit");
            }
            self.data_in.release(read);
            self.truth.read[0] += read;
        }
    }

    /// Reads no more of a stream, as when it is dropped.
    fn stop(&mut self, stream: usize, packets: &mut VecDeque<Packet>) {
        if let Some(Some(receiving)) = self.receiving.get(stream)
            && !receiving.over
        {
            packets.push_back(Packet::Stop(stream));
            self.forgive(stream);
        }
    }

    /// Lets go of a stream of which no more will be read.
    fn forgive(&mut self, stream: usize) {
        let Some(Some(receiving)) = self.receiving.get_mut(stream) else {
            return;
        };
        receiving.over = true;
        receiving.unread = 0;
        let n = index(receiving.direction);
        self.streams_in[n].leave();
        self.truth.read[1 + n] += 1;
        self.data_in.forgive(self.windows.stream);
        self.truth.read[0] += self.windows.stream;
    }

    /// Gives the capsules that announce limits.
    fn due(&mut self) -> Vec<Capsule> {
        let mut due = Vec::new();
        due.extend(self.data_in.announce().map(Capsule::MaxData));
        for direction in DIRECTIONS {
            let limit = self.streams_in[index(direction)].announce();
            due.extend(limit.map(|max| Capsule::MaxStreams { direction, max }));
        }
        due
    }

    fn tell(&mut self) -> Vec<Capsule> {
        // Until those before are handed over, no others are.
        if !self.untold.is_empty() {
            return Vec::new();
        }
        let mut capsules = self.due();
        for capsule in &capsules {
            let (n, limit) = limit_of(capsule);
            assert!(limit > self.truth.promised[n], "limit that is no higher");
            self.truth.promised[n] = limit;
        }
        self.untold.clone_from(&capsules);
        let blocked = self.data_out.blocked().map(Capsule::DataBlocked);
        capsules.extend(blocked);
        for direction in DIRECTIONS {
            let blocked = self.streams_out[index(direction)].blocked();
            capsules.extend(blocked.map(|max| Capsule::StreamsBlocked { direction, max }));
        }
        self.check_blocked(&capsules);
        capsules
    }

    /// Checks that this side says where it is blocked, once for each limit.
    fn check_blocked(&mut self, capsules: &[Capsule]) {
        for n in 0..3 {
            let said = capsules.iter().find_map(|capsule| match capsule {
                Capsule::DataBlocked(max) => (n == 0).then_some(*max),
                Capsule::StreamsBlocked { direction, max } => {
                    (n == 1 + index(*direction)).then_some(*max)
                }
                _ => None,
            });
            let limit = Some(self.truth.allowed[n]);
            let short = self.truth.short[n] == limit && Some(self.truth.used[n]) == limit;
            let due = short && self.truth.blocked[n] != limit;
            assert_eq!(said, limit.filter(|_| due), "blocked and not said once");
            self.truth.blocked[n] = said.or(self.truth.blocked[n]);
        }
    }

    fn told(&mut self) {
        for capsule in self.untold.drain(..) {
            match capsule {
                Capsule::MaxData(max) => self.data_in.announced(max),
                Capsule::MaxStreams { direction, max } => {
                    self.streams_in[index(direction)].announced(max);
                }
                _ => unreachable!("others are not waited for"),
            }
        }
    }

    fn take_capsule(&mut self, capsule: &Capsule) {
        let raised = match capsule {
            Capsule::MaxData(max) => self.data_out.raise(*max),
            Capsule::MaxStreams { direction, max } => {
                self.streams_out[index(*direction)].raise(*max)
            }
            Capsule::Close { .. } => {
                self.closed = true;
                return;
            }
            _ => return,
        };
        assert_eq!(raised, Ok(true));
        let (n, limit) = limit_of(capsule);
        self.truth.allowed[n] = limit;
    }

    fn take_packet(&mut self, packet: Packet, packets: &mut VecDeque<Packet>) {
        match packet {
            Packet::Header(stream, direction) => {
                let arrived = self.streams_in[index(direction)].arrive();
                arrived.expect("the peer kept the limit");
                self.receiving.resize_with(stream, || None);
                self.receiving.push(Some(Receiving {
                    direction,
                    unread: 0,
                    finished: false,
                    over: false,
                }));
            }
            Packet::Bytes(stream, amount) => self.arrive(stream, amount),
            Packet::Finish(stream) => {
                if let Some(Some(receiving)) = self.receiving.get_mut(stream) {
                    receiving.finished = true;
                }
                self.read(stream, 0, packets);
            }
            Packet::Reset(stream, direction) => match self.receiving.get(stream) {
                // All of it had come before.
                Some(Some(receiving)) if receiving.over || receiving.finished => {}
                Some(Some(_)) => self.forgive(stream),
                // The header is lost, and with it all that would tell whose stream it was.
                _ => {
                    self.streams_in[index(direction)].forgive(1);
                    self.truth.read[1 + index(direction)] += 1;
                    self.data_in.forgive(self.windows.stream);
                    self.truth.read[0] += self.windows.stream;
                }
            },
            Packet::Stop(stream) => self.reset(stream, packets),
            Packet::Credit(stream, amount) => self.sending[stream].credit += amount,
        }
    }

    fn arrive(&mut self, stream: usize, amount: u64) {
        if let Some(Some(receiving)) = self.receiving.get_mut(stream)
            && !receiving.over
        {
            receiving.unread += amount;
            if self.windows.early {
                let received = self.data_in.receive(amount);
                received.expect("the peer kept the limit");
            }
        }
    }
}

/// A side's limits: bytes, bidirectional streams and unidirectional ones.
fn limits(first: impl Fn(u64, bool) -> u64, windows: Windows) -> [u64; 3] {
    let streams = first(windows.streams, windows.settings);
    [first(windows.data, windows.settings), streams, streams]
}

fn limit_of(capsule: &Capsule) -> (usize, u64) {
    match capsule {
        Capsule::MaxData(max) => (0, *max),
        Capsule::MaxStreams { direction, max } => (1 + index(*direction), *max),
        _ => unreachable!("it announces no limit"),
    }
}

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::Bi => 0,
        Direction::Uni => 1,
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Bi, Direction::Uni];

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
