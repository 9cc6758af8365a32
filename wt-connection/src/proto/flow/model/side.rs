use std::collections::VecDeque;

use crate::proto::capsule::Capsule;
use crate::proto::direction::Direction;
use crate::proto::flow::{Incoming, Outgoing};

#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    pub(super) data: u64,
    pub(super) streams: u64,
    /// QUIC's for each stream.
    pub(super) stream: u64,
    /// Whether SETTINGS had the limits, or each session starts without any.
    pub(super) settings: bool,
    /// Whether bytes count when they come, or when they are read.
    pub(super) early: bool,
}

/// What streams carry from one side to the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packet {
    Header(usize, Direction),
    Bytes(usize, u64),
    Finish(usize),
    Reset(usize, Direction),
    Stop(usize),
    /// More of QUIC's own credit.
    Credit(usize, u64),
}

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) direction: Direction,
    pub(super) sent: u64,
    pub(super) credit: u64,
    pub(super) over: bool,
}

#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) direction: Direction,
    pub(super) unread: u64,
    pub(super) finished: bool,
    pub(super) over: bool,
}

#[derive(Debug)]
pub(super) struct Side {
    pub(super) windows: Windows,
    pub(super) data_in: Incoming,
    pub(super) streams_in: [Incoming; 2],
    pub(super) data_out: Outgoing,
    pub(super) streams_out: [Outgoing; 2],
    /// The peer's window of a stream, which is QUIC's.
    pub(super) stream_credit: u64,
    pub(super) sending: Vec<Sending>,
    /// By the number that the peer gave them; `None` before the header, and after a reset without.
    pub(super) receiving: Vec<Option<Receiving>>,
    /// What was put under way since the last word that something was handed over.
    pub(super) untold: Vec<Capsule>,
    pub(super) closed: bool,
    pub(super) truth: Truth,
}

/// What this side knows of itself by counting; indices as in [`limits`].
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) used: [u64; 3],
    /// What has reached this side as a limit.
    pub(super) allowed: [u64; 3],
    /// What this side has put under way as a limit.
    pub(super) promised: [u64; 3],
    /// What takes no more room on this side, and what it has forgiven beyond.
    pub(super) read: [u64; 3],
    /// The limit at which this side found too little.
    pub(super) short: [Option<u64>; 3],
    /// The last limit at which this side said so.
    pub(super) blocked: [Option<u64>; 3],
}

impl Side {
    pub(super) fn new(windows: Windows, peer: Windows) -> Self {
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

    pub(super) fn open(&mut self, direction: Direction, packets: &mut VecDeque<Packet>) {
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
    pub(super) fn write(
        &mut self,
        stream: usize,
        want: u64,
        take: u64,
        packets: &mut VecDeque<Packet>,
    ) {
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
    pub(super) fn note_grant(&mut self, n: usize, want: u64, granted: u64) {
        let left = self.truth.allowed[n] - self.truth.used[n];
        assert_eq!(granted, want.min(left), "credit withheld, or made up");
        if granted < want {
            self.truth.short[n] = Some(self.truth.allowed[n]);
        }
    }

    pub(super) fn finish(&mut self, stream: usize, packets: &mut VecDeque<Packet>) {
        if let Some(sending) = self.sending.get_mut(stream).filter(|sending| !sending.over) {
            sending.over = true;
            packets.push_back(Packet::Finish(stream));
        }
    }

    pub(super) fn reset(&mut self, stream: usize, packets: &mut VecDeque<Packet>) {
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

    pub(super) fn read(&mut self, stream: usize, amount: u64, packets: &mut VecDeque<Packet>) {
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
            self.streams_in[n].release(1);
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
    pub(super) fn stop(&mut self, stream: usize, packets: &mut VecDeque<Packet>) {
        if let Some(Some(receiving)) = self.receiving.get(stream)
            && !receiving.over
        {
            packets.push_back(Packet::Stop(stream));
            self.forgive(stream);
        }
    }

    /// Lets go of a stream of which no more will be read.
    pub(super) fn forgive(&mut self, stream: usize) {
        let Some(Some(receiving)) = self.receiving.get_mut(stream) else {
            return;
        };
        receiving.over = true;
        receiving.unread = 0;
        let n = index(receiving.direction);
        self.streams_in[n].release(1);
        self.truth.read[1 + n] += 1;
        self.data_in.forgive(self.windows.stream);
        self.truth.read[0] += self.windows.stream;
    }

    /// Gives the capsules that announce limits.
    pub(super) fn due(&mut self) -> Vec<Capsule> {
        let mut due = Vec::new();
        due.extend(self.data_in.announce().map(Capsule::MaxData));
        for direction in DIRECTIONS {
            let limit = self.streams_in[index(direction)].announce();
            due.extend(limit.map(|max| Capsule::MaxStreams { direction, max }));
        }
        due
    }

    pub(super) fn tell(&mut self) -> Vec<Capsule> {
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
    pub(super) fn check_blocked(&mut self, capsules: &[Capsule]) {
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

    pub(super) fn told(&mut self) {
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

    pub(super) fn take_capsule(&mut self, capsule: &Capsule) {
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

    pub(super) fn take_packet(&mut self, packet: Packet, packets: &mut VecDeque<Packet>) {
        match packet {
            Packet::Header(stream, direction) => {
                let arrived = self.streams_in[index(direction)].receive(1);
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

    pub(super) fn arrive(&mut self, stream: usize, amount: u64) {
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
pub(super) fn limits(first: impl Fn(u64, bool) -> u64, windows: Windows) -> [u64; 3] {
    let streams = first(windows.streams, windows.settings);
    [first(windows.data, windows.settings), streams, streams]
}

pub(super) fn limit_of(capsule: &Capsule) -> (usize, u64) {
    match capsule {
        Capsule::MaxData(max) => (0, *max),
        Capsule::MaxStreams { direction, max } => (1 + index(*direction), *max),
        _ => unreachable!("it announces no limit"),
    }
}

pub(super) const fn index(direction: Direction) -> usize {
    match direction {
        Direction::Bi => 0,
        Direction::Uni => 1,
    }
}

pub(super) const DIRECTIONS: [Direction; 2] = [Direction::Bi, Direction::Uni];
