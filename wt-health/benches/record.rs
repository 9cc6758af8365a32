//! What does a success cost that a health layer records, compared with `tower-resilience-outlier`;
//! and what do a sweep, an ejected fleet and a failing backend cost?
//!
//! All call the same service, which is always ready and answers at once. What it costs by itself is
//! taken from both sides, so that a ratio is one of what the layers add. Threads begin together.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

#[path = "record/calls.rs"]
mod calls;
#[path = "record/fleet.rs"]
mod fleet;
#[path = "record/success.rs"]
mod success;

fn main() {
    let lines = [success::measure(), fleet::measure()].concat();
    println!();
    for line in lines {
        println!("{line}");
    }
}

/// The one in the middle.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
