use std::time::Duration;

use tower::retry::backoff::{Backoff as _, ExponentialBackoffMaker, MakeBackoff};
use wt_retry::backoff::{Backoff, Exponential};

use crate::paused;

const CALLS: usize = 5000;

pub(crate) fn measure() -> Vec<String> {
    let backoff = Exponential::default();
    let ours: Vec<_> = (0..CALLS).map(|_| first(&backoff)).collect();
    let tower = paused().block_on(async { tower() });
    let distance = distance(&ours);
    // Of Kolmogorov and Smirnov, for 1 %.
    let critical = 1.628 / (CALLS as f64).sqrt();
    println!("\nthe first delays of {CALLS} calls that failed together\n");
    println!("| backoff | different ones | distance from even, critical at 1 % {critical:.4} |");
    println!("| --- | --- | --- |");
    println!("| Exponential | {} | {distance:.4} |", different(&ours));
    println!("| tower's | {} | - |", different(&tower));
    vec![format!("value jitter_ks {distance:.4}")]
}

/// The first delay of a call, as a share of the longest.
fn first(backoff: &Exponential) -> f64 {
    let delay = backoff.clone().delays().next().unwrap();
    delay.as_secs_f64() / Duration::from_secs(1).as_secs_f64()
}

fn tower() -> Vec<f64> {
    let now = tokio::time::Instant::now();
    let mut maker = ExponentialBackoffMaker::default();
    let mut delay = || (maker.make_backoff().next_backoff().deadline() - now).as_secs_f64();
    (0..CALLS).map(|_| delay()).collect()
}

fn different(delays: &[f64]) -> usize {
    let mut sorted = delays.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted.len()
}

/// The largest distance of a sample's distribution from that of even draws from 0 to 1.
fn distance(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let distances = sorted.iter().enumerate().map(|(rank, value)| {
        let (below, upto) = (rank as f64 / count, (rank + 1) as f64 / count);
        (value - below).abs().max((upto - value).abs())
    });
    distances.fold(0.0, f64::max)
}
