use tokio::runtime::{Builder, Runtime};
use tower::Layer;
use tower_resilience_outlier::{
    DefaultClassifier, OutlierDetectionLayer, OutlierDetectionService, OutlierDetector,
};
use wt_health::{Health, Monitor};

use crate::calls::{Answering, one_thread, two_threads};
use crate::median;

const CALLS: u32 = 1_000_000;
const ROUNDS: usize = 15;

type Ours = Health<Answering>;
type Theirs = OutlierDetectionService<Answering, DefaultClassifier>;

/// Each of the three ways to call, by the bare service, by ours and by theirs.
pub(crate) fn measure() -> Vec<String> {
    // Its second thread has the monitor's task.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let fleet = Fleet::new(&runtime);
    let mut lines = Vec::new();
    for (name, threads) in [
        ("record", Threads::One),
        ("record_2_threads", Threads::Two),
        ("record_shared", Threads::Shared),
    ] {
        let ratio = fleet.rounds(name, threads);
        lines.push(format!("ratio {name}/tower_resilience_outlier {ratio:.3}"));
    }
    let service = fleet.ours("a");
    let allocated = allocation_counter::measure(|| {
        one_thread(service, CALLS);
    });
    let per_call = allocated.count_total as f64 / f64::from(CALLS);
    lines.push(format!("allocs record {per_call:.3}"));
    lines
}

#[derive(Clone, Copy)]
enum Threads {
    One,
    /// With a backend each.
    Two,
    /// With one backend.
    Shared,
}

struct Fleet {
    monitor: Monitor<&'static str>,
    detector: OutlierDetector,
}

impl Fleet {
    fn new(runtime: &Runtime) -> Self {
        let detector = OutlierDetector::new();
        detector.register("a", 5);
        detector.register("b", 5);
        let _entered = runtime.enter();
        Self {
            monitor: Monitor::new(),
            detector,
        }
    }

    fn ours(&self, key: &'static str) -> Ours {
        self.monitor.layer(key).layer(Answering)
    }

    fn theirs(&self, key: &'static str) -> Theirs {
        let layer = OutlierDetectionLayer::builder()
            .detector(self.detector.clone())
            .instance_name(key)
            .build();
        layer.unwrap().layer(Answering)
    }

    /// Nanoseconds for a call by the bare service, by ours, by theirs.
    fn round(&self, threads: Threads, first: usize) -> [f64; 3] {
        let mut figures = [0.0; 3];
        for turn in 0..3 {
            let subject = (first + turn) % 3;
            figures[subject] = match (subject, threads) {
                (0, Threads::One) => one_thread(Answering, CALLS),
                (0, _) => two_threads([Answering; 2], CALLS),
                (1, Threads::One) => one_thread(self.ours("a"), CALLS),
                (1, Threads::Two) => two_threads(["a", "b"].map(|key| self.ours(key)), CALLS),
                (1, Threads::Shared) => two_threads(["a", "a"].map(|key| self.ours(key)), CALLS),
                (_, Threads::One) => one_thread(self.theirs("a"), CALLS),
                (_, Threads::Two) => two_threads(["a", "b"].map(|key| self.theirs(key)), CALLS),
                (_, Threads::Shared) => two_threads(["a", "a"].map(|key| self.theirs(key)), CALLS),
            };
        }
        figures
    }

    /// Prints the figures, and gives the median of what ours adds as a share of what theirs does.
    fn rounds(&self, name: &str, threads: Threads) -> f64 {
        // Not counted: caches and the predictor settle.
        self.round(threads, 0);
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|round| self.round(threads, round))
            .collect();
        println!("\n| {name} | ns a call, median of {ROUNDS} rounds | least | most |");
        println!("| --- | --- | --- | --- |");
        let subjects = ["the service alone", "wt-health", "tower-resilience-outlier"];
        for (subject, name) in subjects.into_iter().enumerate() {
            let figures: Vec<f64> = rounds.iter().map(|round| round[subject]).collect();
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.iter().copied().fold(0.0, f64::max);
            println!(
                "| {name} | {:.1} | {least:.1} | {most:.1} |",
                median(figures)
            );
        }
        let ratio = |[bare, ours, theirs]: &[f64; 3]| (ours - bare) / (theirs - bare);
        median(rounds.iter().map(ratio).collect())
    }
}
