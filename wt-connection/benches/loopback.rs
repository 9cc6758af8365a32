//! What does a session cost, compared with bare quinn?
//!
//! Client and server share a process and a runtime; both sides of each comparison run the same code
//! over the same TLS and QUIC settings, in alternating rounds, and count what has arrived. Names of
//! measures as arguments run those alone.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::env;

#[path = "loopback/bare.rs"]
mod bare;
#[path = "loopback/bulk.rs"]
mod bulk;
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
mod work;

fn main() {
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let mut lines = Vec::new();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            lines.extend(measure());
        }
    }
    println!();
    for line in lines {
        println!("{line}");
    }
}

type Measure = fn() -> Vec<String>;

const MEASURES: [(&str, Measure); 6] = [
    ("streams", streams::measure),
    ("datagrams", datagrams::measure),
    ("bulk", bulk::measure),
    ("connects", connects::measure),
    ("memory", memory::measure),
    ("round_trips", round_trips::measure),
];
