use std::fmt;
use std::fmt::Write;
use std::time::Duration;

use crate::stack::Figures;
use crate::trial::record::{Told, quantile};
use crate::trial::table::Key;

/// How it went: each server, what befell them and what calls felt of that, and why calls failed.
pub(crate) fn text<T: Key>(targets: &[T], figures: &Figures<T>, told: &Told) -> String {
    let mut text = format!("\n{HEAD}\n");
    let balance = figures.balance().backends;
    let health = figures.monitor().snapshot().backends;
    let pool = figures.pool().targets;
    for (number, target) in (1..).zip(targets) {
        let given = balance.iter().find(|backend| backend.key == *target);
        let lent = pool.iter().find(|(lender, _)| lender == target);
        let judged = health.iter().find(|backend| backend.key == *target);
        let _ = writeln!(
            text,
            "{number} {:<22} {:>6} {:>5.0} % {:>7} {:>9} {:>11}",
            target.to_string(),
            given.map_or(0, |backend| backend.calls),
            given.map_or(0.0, |backend| 100.0 * backend.share),
            given.map_or(0, |backend| backend.failures),
            judged.map_or(0, |backend| backend.ejections),
            lent.map_or(0, |(_, stats)| stats.opened),
        );
    }
    text.push('\n');
    let ends = told.events.iter().skip(1).map(|(at, _)| *at);
    for ((at, event), end) in told.events.iter().zip(ends.chain([Duration::MAX])) {
        let slowest = told.latencies(*at, end).last().copied().unwrap_or_default();
        let at = at.as_secs();
        let _ = writeln!(
            text,
            "{at:>2} s: server {event:<20} slowest call {slowest:.1?}"
        );
    }
    for (failure, calls) in &told.failures {
        let _ = writeln!(text, "{calls} calls failed: {failure}");
    }
    text
}

/// The figures of all calls, in one line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Calls that were made.
    pub calls: usize,
    /// How many of these have failed.
    pub failed: usize,
    /// Attempts after the first.
    pub retried: u64,
    /// What half of the calls took at most.
    pub p50: Duration,
    /// What all but one in a hundred took at most.
    pub p99: Duration,
}

impl Summary {
    pub(crate) fn of(told: &Told, retried: u64) -> Self {
        let latencies = told.latencies(Duration::ZERO, Duration::MAX);
        Self {
            calls: told.calls.len(),
            failed: told.failed(),
            retried,
            p50: quantile(&latencies, 0.5).unwrap_or_default(),
            p99: quantile(&latencies, 0.99).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            failed,
            retried,
            p50,
            p99,
        } = self;
        let ok = calls - failed;
        let (p50, p99) = (p50.as_micros(), p99.as_micros());
        write!(
            f,
            "summary calls={calls} ok={ok} failed={failed} retried={retried} "
        )?;
        write!(f, "p50_us={p50} p99_us={p99}")
    }
}

const HEAD: &str = "  server                  calls   share  failed ejections connections";
