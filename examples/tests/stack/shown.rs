//! What the examples show.

use tokio::task::{JoinSet, spawn_blocking};

use crate::common::Example;
use crate::fleet::alone;

#[tokio::test]
async fn no_call_fails_while_servers_are_slow_fail_die_fall_silent_and_are_restarted() {
    let _alone = alone().await;
    let mut ends = JoinSet::new();
    // At the same time: each lasts half a minute.
    for name in ["stack", "stack_http1", "stack_tonic"] {
        let example = Example::start(name, &[]);
        ends.spawn(async move { (name, spawn_blocking(|| example.end()).await.unwrap()) });
    }

    for (name, (status, said)) in ends.join_all().await {
        assert!(status.success(), "{name}: {said:#?}");
        let summary = said.last().unwrap();
        assert!(summary.starts_with("summary calls="), "{name}: {said:#?}");
        assert!(summary.contains(" failed=0 "), "{name}: {said:#?}");
        // Some have met a server that was not well.
        for what in ["calls", "retried"] {
            assert!(figure(summary, what) > 0, "{name}: {said:#?}");
        }
    }
}

/// One figure of the last line.
fn figure(summary: &str, name: &str) -> u64 {
    let mut figures = summary.split(' ').filter_map(|word| word.split_once('='));
    let (_, figure) = figures.find(|(figure, _)| *figure == name).unwrap();
    figure.parse().unwrap()
}
