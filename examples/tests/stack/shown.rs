//! What the examples show.

use std::fs;

use tokio::task::{JoinSet, spawn_blocking};

use crate::common::{Example, binary};
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
        let plot = fs::read_to_string(binary(name).with_extension("svg")).unwrap();
        assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"));
        // Its curves are those of half of the calls, of all but one in a hundred, and of all.
        let curves = plot
            .lines()
            .filter(|line| line.starts_with("<path d=\"M") && line.contains(" fill=\"none\""));
        assert_eq!(curves.count(), 3, "{name}");
    }
}

/// One figure of the last line.
fn figure(summary: &str, name: &str) -> u64 {
    let mut figures = summary.split(' ').filter_map(|word| word.split_once('='));
    let (_, figure) = figures.find(|(figure, _)| *figure == name).unwrap();
    figure.parse().unwrap()
}
