//! What do retries add to an outage, and how soon is it over?
//!
//! Simulated on a paused clock, with the real layers, policies and budgets: 1,000 calls a second of
//! at most three attempts, ten seconds in order and then thirty in which a share of the attempts
//! fail. Then a server of limited capacity at 70 % load is away for ten seconds. At last, how
//! evenly the first delays of 5,000 calls that failed together are spread.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

#[path = "outage/amplification.rs"]
mod amplification;
#[path = "outage/jitter.rs"]
mod jitter;
#[path = "outage/recovery.rs"]
mod recovery;
#[path = "outage/stacks.rs"]
mod stacks;

fn main() {
    let lines = [
        amplification::measure(),
        recovery::measure(),
        jitter::measure(),
    ]
    .concat();
    println!();
    for line in lines {
        println!("{line}");
    }
}

/// A runtime whose clock moves only when nobody has anything to do.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}
