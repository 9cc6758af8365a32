//! The steps of a program, written down.

use wt_connection::proto::capsule::Capsule;
use wt_connection_fuzz::{frame, varint};

pub(crate) const UNI: &[u8] = &[0x00];
pub(crate) const BI: &[u8] = &[0x10];
pub(crate) const SLEEP: &[u8] = &[0x89];
pub(crate) const ACCEPT: &[u8] = &[0xa0];

pub(crate) fn program(flags: u8, steps: &[&[u8]]) -> Vec<u8> {
    [&[flags], &steps.concat()[..]].concat()
}

pub(crate) fn write(stream: u8, content: &[u8]) -> Vec<u8> {
    bytes(0x20 | stream, content)
}

pub(crate) fn framed(stream: u8, ty: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x30 | stream, ty], &bytes(0, payload)[1..]].concat()
}

pub(crate) fn finish(stream: u8) -> Vec<u8> {
    vec![0x40 | stream]
}

pub(crate) fn read(stream: u8) -> Vec<u8> {
    vec![0x90 | stream]
}

pub(crate) fn datagram(quarter: u64, payload: &[u8]) -> Vec<u8> {
    bytes(0x70, &[&varint(quarter)[..], payload].concat())
}

/// A capsule, or what is to look like one, in its frame.
pub(crate) fn capsule(stream: u8, capsule: &[u8]) -> Vec<u8> {
    write(stream, &frame(0, capsule))
}

pub(crate) fn close(code: u32, reason: &str) -> Vec<u8> {
    let reason = reason.to_owned();
    let mut content = Vec::new();
    Capsule::Close { code, reason }.encode(&mut content);
    content
}

/// A step's byte, and what belongs to it behind its length.
pub(crate) fn bytes(op: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).expect("a step is short");
    [&[op, len], content].concat()
}
