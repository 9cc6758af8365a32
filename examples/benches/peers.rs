//! Our connection beside those of `wtransport` and `web-transport-quinn`.
//!
//! Client and server share a process and a runtime; all run the same code over the same TLS and
//! QUIC settings, in alternating rounds, and count what has arrived. Where a stack's own methods do
//! less than quinn's below them, quinn's are used. Names of measures as arguments run those alone.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

#[path = "peers/both.rs"]
mod both;
#[path = "peers/bulk.rs"]
mod bulk;
#[path = "../../wt-connection/benches/common/mod.rs"]
mod common;
#[path = "peers/connects.rs"]
mod connects;
#[path = "peers/datagrams.rs"]
mod datagrams;
#[path = "peers/ours.rs"]
mod ours;
#[path = "peers/rounds.rs"]
mod rounds;
#[path = "peers/streams.rs"]
mod streams;
#[path = "peers/web_transport_quinn.rs"]
mod web_transport_quinn;
#[path = "peers/wtransport.rs"]
mod wtransport;

use common::measures::{Measure, run};

fn main() {
    run(&MEASURES);
}

const MEASURES: [(&str, Measure); 4] = [
    ("streams", streams::measure),
    ("datagrams", datagrams::measure),
    ("bulk", bulk::measure),
    ("connects", connects::measure),
];
