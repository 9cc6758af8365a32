//! Our connection beside those of `wtransport` and `web-transport-quinn`.
//!
//! Client and server share a process and a runtime; all run the same code over the same TLS and
//! QUIC settings, in alternating rounds, and count what has arrived. Where a stack's own methods do
//! less than quinn's below them, quinn's are used. Names of measures as arguments run those alone.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::env;

#[path = "peers/both.rs"]
mod both;
#[path = "peers/bulk.rs"]
mod bulk;
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
#[path = "../../wt-connection/benches/work/mod.rs"]
mod work;
#[path = "peers/wtransport.rs"]
mod wtransport;

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

const MEASURES: [(&str, Measure); 4] = [
    ("streams", streams::measure),
    ("datagrams", datagrams::measure),
    ("bulk", bulk::measure),
    ("connects", connects::measure),
];
