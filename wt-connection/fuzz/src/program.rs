use wt_connection::proto::code;
use wt_connection::proto::draft::{CLOSE_CAPSULE, DRAIN_CAPSULE};

use crate::wire;

/// What a raw peer does, one step after another: the input of a fuzzer.
///
/// Any bytes are a program. Its first byte says how it begins; each step is a byte, whose last four
/// bits name a stream, and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    flags: u8,
    rest: &'a [u8],
    /// How often it may still sleep.
    sleeps: u8,
}

/// A step of a program.
#[derive(Debug)]
pub enum Op {
    OpenUni,
    OpenBi,
    /// Takes what the other side has opened.
    Accept,
    Write(usize, Vec<u8>),
    Finish(usize),
    Reset(usize, u64),
    Stop(usize, u64),
    Read(usize),
    Datagram(Vec<u8>),
    Yield(u8),
    Sleep(u8),
    Close(u64),
}

impl<'a> Program<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        let (flags, rest) = input.split_first().unwrap_or((&0, &[]));
        Self {
            flags: *flags,
            rest,
            sleeps: 50,
        }
    }

    /// Which of two variants of the other side this is for.
    pub fn variant(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether the peer begins with a control stream.
    pub fn control(&self) -> bool {
        self.flags & 2 == 0
    }

    /// Whether the peer begins with a session.
    pub fn session(&self) -> bool {
        self.flags & 4 == 0
    }

    /// Whether the peer has room for next to nothing.
    pub fn narrow(&self) -> bool {
        self.flags & 8 != 0
    }

    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *byte
    }

    /// Bytes behind their number.
    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes
    }

    fn code(&mut self) -> u64 {
        match self.byte() {
            byte @ 0..0x20 => 0x100 + u64::from(byte),
            byte @ 0x20..0x40 => u64::from(byte),
            byte => code::to_wire(byte.into()),
        }
    }

    fn ty(&mut self) -> u64 {
        match self.byte() {
            0x40 => CLOSE_CAPSULE,
            0x41 => DRAIN_CAPSULE,
            ty => ty.into(),
        }
    }

    fn headers(&mut self) -> Vec<u8> {
        const PATHS: [&str; 8] = [
            "/", "/close", "/drain", "/open", "/reject", "/drop", "/large", "/fail",
        ];
        const STATUS: [&str; 4] = ["200", "100", "404", "204"];
        let choice = self.byte();
        let path = PATHS[usize::from(choice & 7)];
        match choice >> 3 & 7 {
            0 => wire::connect(path),
            1 => wire::request("GET", path),
            2 => wire::request("POST", path),
            3 => wire::request("HEAD", path),
            4 => wire::request("CONNECT", path),
            _ => wire::answer(STATUS[usize::from(choice & 3)]),
        }
    }
}

impl Iterator for Program<'_> {
    type Item = Op;

    fn next(&mut self) -> Option<Op> {
        if self.rest.is_empty() {
            return None;
        }
        let byte = self.byte();
        let stream = usize::from(byte & 0x0f);
        Some(match byte >> 4 {
            0 => Op::OpenUni,
            1 => Op::OpenBi,
            2 => Op::Write(stream, self.bytes().to_vec()),
            3 => {
                let ty = self.ty();
                Op::Write(stream, wire::frame(ty, self.bytes()))
            }
            4 => Op::Finish(stream),
            5 => Op::Reset(stream, self.code()),
            6 => Op::Stop(stream, self.code()),
            7 => Op::Datagram(self.bytes().to_vec()),
            8 if byte & 8 == 0 => Op::Yield(byte & 7),
            8 if self.sleeps == 0 => Op::Yield(1),
            8 => {
                self.sleeps -= 1;
                Op::Sleep(1 + (byte & 1))
            }
            9 => Op::Read(stream),
            10 => Op::Accept,
            11 => {
                let ty = self.ty();
                Op::Write(stream, wire::frame(0, &wire::frame(ty, self.bytes())))
            }
            12 => Op::Write(stream, self.headers()),
            13 => {
                let signal = if self.byte() & 1 == 0 { 0x41 } else { 0x54 };
                let session = wire::varint(u64::from(self.byte()));
                Op::Write(stream, [wire::varint(signal), session].concat())
            }
            14 => {
                let len = usize::from(self.byte()) * 64;
                Op::Write(stream, vec![self.byte(); len])
            }
            _ => Op::Close(self.code()),
        })
    }
}
