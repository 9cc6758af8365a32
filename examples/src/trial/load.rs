use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::trial::record::Record;
use crate::{BoxError, causes};

/// Calls at a steady pace, whatever becomes of the calls before; waits for the last ones.
///
/// How many there are at once is bounded by the client itself, which sheds the others.
pub(crate) async fn run<F, Fut>(call: F, record: Record)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let end = record.began() + LENGTH;
    // Those that could not be made in time are made up for, and count from when they were due; but
    // for what timers are late by.
    let mut pace = interval_at(record.began(), PACE);
    let mut calls = JoinSet::new();
    loop {
        let due = pace.tick().await;
        if due >= end {
            break;
        }
        while calls.try_join_next().is_some() {}
        let due = Instant::now().min(due + RESOLUTION);
        let (call, record) = (call(), record.clone());
        calls.spawn(async move {
            let failure = call.await.err();
            record.call(due, failure.map(|error| causes(&*error)));
        });
    }
    while calls.join_next().await.is_some() {}
}

/// How long there are calls.
pub(crate) const LENGTH: Duration = Duration::from_secs(30);
/// Four hundred a second; a quarter of that where the compiler has not done its best.
const PACE: Duration = Duration::from_micros(if cfg!(debug_assertions) {
    10_000
} else {
    2_500
});
/// That of tokio's timers.
const RESOLUTION: Duration = Duration::from_millis(1);
