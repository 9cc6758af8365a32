use std::fmt;
use std::fmt::Write;
use std::time::Duration;

use examples::stack::Stack;
use wt_connection::Target;

use crate::record::{Told, quantile};

/// How it went: each server, what befell them and what calls felt of that, and why calls failed.
pub(crate) fn text<C>(targets: &[Target], stack: &Stack<C>, told: &Told) -> String {
    let mut text = format!("\n{HEAD}\n");
    let balance = (stack.balance)().backends;
    let health = stack.monitor.snapshot().backends;
    for (number, target) in (1..).zip(targets) {
        let given = balance.iter().find(|backend| backend.key == *target);
        let judged = health.iter().find(|backend| backend.key == *target);
        let _ = writeln!(
            text,
            "{number} {:<22} {:>6} {:>5.0} % {:>7} {:>9} {:>11}",
            target.to_string(),
            given.map_or(0, |backend| backend.calls),
            given.map_or(0.0, |backend| 100.0 * backend.share),
            given.map_or(0, |backend| backend.failures),
            judged.map_or(0, |backend| backend.ejections),
            stack.pool.stats_of(target).map_or(0, |stats| stats.opened),
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
pub(crate) struct Summary {
    calls: usize,
    pub(crate) failed: usize,
    retried: u64,
    p50: Duration,
    p99: Duration,
}

pub(crate) fn summary(told: &Told, retried: u64) -> Summary {
    let latencies = told.latencies(Duration::ZERO, Duration::MAX);
    Summary {
        calls: told.calls.len(),
        failed: told.failed(),
        retried,
        p50: quantile(&latencies, 0.5).unwrap_or_default(),
        p99: quantile(&latencies, 0.99).unwrap_or_default(),
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
