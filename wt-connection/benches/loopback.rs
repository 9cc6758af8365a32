//! What does a session cost, compared with bare quinn?
//!
//! Client and server share a process and a runtime; both sides of each comparison run the same code
//! over the same TLS and QUIC settings, in alternating rounds, and count what has arrived. Names of
//! measures as arguments run those alone.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

#[path = "loopback/bare.rs"]
mod bare;
#[path = "loopback/bulk.rs"]
mod bulk;
mod common;
#[path = "loopback/connects.rs"]
mod connects;
#[path = "loopback/datagrams.rs"]
mod datagrams;
#[path = "loopback/memory.rs"]
mod memory;
#[path = "loopback/pair.rs"]
mod pair;
#[path = "loopback/relay.rs"]
mod relay;
#[path = "loopback/round_trips.rs"]
mod round_trips;
#[path = "loopback/rounds.rs"]
mod rounds;
#[path = "loopback/streams.rs"]
mod streams;

use common::measures::{Measure, run};

fn main() {
    run(&MEASURES);
}

const MEASURES: [(&str, Measure); 6] = [
    ("streams", streams::measure),
    ("datagrams", datagrams::measure),
    ("bulk", bulk::measure),
    ("connects", connects::measure),
    ("memory", memory::measure),
    ("round_trips", round_trips::measure),
];
