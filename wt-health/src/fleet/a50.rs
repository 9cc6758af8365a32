//! What gRFC A50 asks for: what gRPC's implementations test themselves by, and more rows like it.
//!
//! The limit is rounded down here, where they may eject one more.

use std::time::Duration;

use crate::classify::Outcome;
use crate::event::Reason;
use crate::fleet::Rules;
use crate::fleet::trial::Trial;
use crate::outlier::{FailurePercentage, Outlier, SuccessRate};
use crate::probe;

const INTERVAL: Duration = Duration::from_secs(10);

/// A50's own algorithms alone, with the settings of its tests.
fn rules(outlier: Outlier) -> Rules {
    Rules {
        outlier: outlier.consecutive(None),
        panic: None,
        ..Rules::default()
    }
}

fn by_percentage(max_ejected: u8, enforcement: u8) -> Outlier {
    let percentage = FailurePercentage::default()
        .threshold(50)
        .enforcement(enforcement)
        .min_backends(3)
        .min_calls(3);
    Outlier::default()
        .max_ejected(max_ejected)
        .success_rate(None)
        .failure_percentage(Some(percentage))
}

fn by_success_rate(max_ejected: u8, enforcement: u8) -> Outlier {
    let rate = SuccessRate::default()
        .deviations(0.5)
        .enforcement(enforcement)
        .min_backends(3)
        .min_calls(3);
    Outlier::default()
        .max_ejected(max_ejected)
        .success_rate(Some(rate))
        .failure_percentage(None)
}

struct Row {
    name: &'static str,
    backends: usize,
    failing: usize,
    max_ejected: u8,
    enforcement: u8,
    ejected: usize,
}

/// The cases of grpc-go, of which the second is that of its test from end to end.
const GRPC_GO: [Row; 2] = [
    Row {
        name: "one of three fails",
        backends: 3,
        failing: 1,
        max_ejected: 10,
        enforcement: 100,
        ejected: 1,
    },
    Row {
        name: "one of three fails, a third may be ejected",
        backends: 3,
        failing: 1,
        max_ejected: 33,
        enforcement: 100,
        ejected: 1,
    },
];

const MORE: [Row; 7] = [
    Row {
        name: "none of three fails",
        backends: 3,
        failing: 0,
        max_ejected: 10,
        enforcement: 100,
        ejected: 0,
    },
    Row {
        name: "one of three fails, nothing is enforced",
        backends: 3,
        failing: 1,
        max_ejected: 10,
        enforcement: 0,
        ejected: 0,
    },
    Row {
        name: "one of three fails, none may be ejected",
        backends: 3,
        failing: 1,
        max_ejected: 0,
        enforcement: 100,
        ejected: 0,
    },
    Row {
        name: "two of three fail, a third may be ejected",
        backends: 3,
        failing: 2,
        max_ejected: 33,
        enforcement: 100,
        ejected: 1,
    },
    Row {
        name: "two of ten fail, one may be ejected",
        backends: 10,
        failing: 2,
        max_ejected: 10,
        enforcement: 100,
        ejected: 1,
    },
    Row {
        name: "two of ten fail, both may be ejected",
        backends: 10,
        failing: 2,
        max_ejected: 20,
        enforcement: 100,
        ejected: 2,
    },
    Row {
        name: "three of 29 fail, two may be ejected",
        backends: 29,
        failing: 3,
        max_ejected: 10,
        enforcement: 100,
        ejected: 2,
    },
];

/// All succeed for an interval, then some fail; later than the longest ejection, all are back.
fn run(row: &Row, calls: u32, outlier: Outlier, reason: Reason) {
    let name = row.name;
    let mut trial = Trial::new(rules(outlier), row.backends);
    for backend in 0..row.backends {
        trial.calls(backend, calls, Outcome::Success);
    }
    trial.pass(INTERVAL);
    trial.sweep();
    assert_eq!(trial.ejections(), [], "{name}: all succeed");

    for backend in 0..row.backends {
        let fails = backend >= row.backends - row.failing;
        let outcome = if fails {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        trial.calls(backend, calls, outcome);
    }
    trial.pass(INTERVAL);
    trial.sweep();
    let ejections = trial.ejections();
    assert_eq!(ejections.len(), row.ejected, "{name}");
    for (backend, found) in ejections {
        assert!(backend >= row.backends - row.failing, "{name}");
        assert_eq!(found, reason, "{name}");
    }

    trial.pass(Duration::from_secs(1000));
    trial.sweep();
    let ejected = (0..row.backends).filter(|backend| trial.is_ejected(*backend));
    assert_eq!(ejected.count(), 0, "{name}: all are back");
}

fn plain(outlier: Outlier) -> Outlier {
    let rate = outlier.success_rate.map(|rate| rate.chance(None));
    outlier.success_rate(rate)
}

#[test]
fn the_failure_percentage_ejects_as_the_tables_say() {
    for row in GRPC_GO.iter().chain(&MORE) {
        let outlier = by_percentage(row.max_ejected, row.enforcement);
        run(row, 5, outlier, Reason::FailurePercentage);
    }
}

#[test]
fn the_success_rate_ejects_as_grpc_go_does() {
    for row in &GRPC_GO {
        let outlier = by_success_rate(row.max_ejected, row.enforcement);
        run(row, 5, outlier, Reason::SuccessRate);
    }
}

#[test]
fn the_success_rate_ejects_as_the_tables_say_if_chance_is_none_of_its_business() {
    for row in GRPC_GO.iter().chain(&MORE) {
        let outlier = plain(by_success_rate(row.max_ejected, row.enforcement));
        run(row, 5, outlier, Reason::SuccessRate);
    }
}

#[test]
fn the_success_rate_ejects_as_the_tables_say_if_chance_is_out_of_the_question() {
    for row in GRPC_GO.iter().chain(&MORE) {
        let outlier = by_success_rate(row.max_ejected, row.enforcement);
        run(row, 25, outlier, Reason::SuccessRate);
    }
}

#[test]
fn the_multiplier_grows_beyond_the_longest_ejection() {
    let mut trial = Trial::new(rules(by_percentage(100, 100)), 3);
    let longest = Duration::from_secs(300);
    for expected in 1..=15 {
        if expected > 1 {
            trial.calls(2, 1, Outcome::Failure);
        } else {
            trial.calls(0, 5, Outcome::Success);
            trial.calls(1, 5, Outcome::Success);
            trial.calls(2, 5, Outcome::Failure);
            trial.sweep();
        }
        assert_eq!(trial.multiplier(2), expected);
        trial.pass(longest);
        assert!(trial.is_proving(2), "no ejection is longer");
    }
}

#[test]
fn one_that_both_find_is_ejected_once() {
    let outlier =
        by_success_rate(100, 100).failure_percentage(by_percentage(0, 100).failure_percentage);
    let mut trial = Trial::new(rules(outlier), 3);
    trial.calls(0, 5, Outcome::Success);
    trial.calls(1, 5, Outcome::Success);
    trial.calls(2, 5, Outcome::Failure);

    trial.sweep();

    assert_eq!(trial.ejections(), [(2, Reason::SuccessRate)]);
    assert_eq!(trial.multiplier(2), 1);
}

#[test]
fn too_few_backends_with_enough_calls_are_not_judged() {
    for outlier in [by_percentage(100, 100), by_success_rate(100, 100)] {
        let mut trial = Trial::new(rules(outlier), 3);
        trial.calls(0, 5, Outcome::Success);
        trial.calls(1, 2, Outcome::Success);
        trial.calls(2, 5, Outcome::Failure);

        trial.sweep();

        assert_eq!(trial.ejections(), []);
    }
}

#[test]
fn each_interval_is_judged_by_itself() {
    let mut trial = Trial::new(rules(by_percentage(100, 100)), 3);
    for _ in 0..10 {
        (0..3).for_each(|backend| trial.calls(backend, 2, Outcome::Failure));
        trial.sweep();
    }

    assert_eq!(trial.ejections(), []);
}

#[test]
fn the_multiplier_grows_and_decays() {
    let mut trial = Trial::new(rules(by_percentage(100, 100)), 3);
    let fail = |trial: &mut Trial| {
        trial.calls(0, 5, Outcome::Success);
        trial.calls(1, 5, Outcome::Success);
        trial.calls(2, 5, Outcome::Failure);
        trial.sweep();
    };

    fail(&mut trial);
    assert_eq!(trial.multiplier(2), 1);
    // It stays as it is while it is ejected.
    trial.sweep();
    assert_eq!(trial.multiplier(2), 1);
    trial.pass(Duration::from_secs(30));
    trial.calls(2, 1, Outcome::Success);
    fail(&mut trial);
    assert_eq!(trial.multiplier(2), 2);

    trial.pass(Duration::from_secs(59));
    assert!(trial.is_ejected(2));
    trial.pass(Duration::from_secs(1));
    assert!(!trial.is_ejected(2));

    trial.calls(2, 1, Outcome::Success);
    let decayed = [(); 4].map(|()| {
        trial.sweep();
        trial.multiplier(2)
    });
    assert_eq!(decayed, [2, 1, 0, 0]);
}

/// As in A50, by which an ejection ends with an interval, and the next one is the first without.
#[test]
fn the_multiplier_decays_by_intervals_without_an_ejection() {
    let rules = Rules {
        probes: Some(probe::Rules {
            jitter: 0.0,
            ..probe::Rules::default()
        }),
        ..Rules::default()
    };
    let mut trial = Trial::new(rules, 1);
    let sweep = |trial: &mut Trial| {
        trial.sweep();
        trial.multiplier(0)
    };

    // Its probes let it back in before the interval ends.
    trial.calls(0, 5, Outcome::Failure);
    trial.probes(0, "++");
    assert!(trial.is_up(0));
    assert_eq!([(); 2].map(|()| sweep(&mut trial)), [1, 0]);

    // A call proves it before the interval ends.
    trial.calls(0, 5, Outcome::Failure);
    trial.pass(Duration::from_secs(30));
    trial.calls(0, 1, Outcome::Success);
    assert!(trial.is_up(0));
    assert_eq!([(); 2].map(|()| sweep(&mut trial)), [1, 0]);
}

#[test]
fn ignored_outcomes_are_no_calls() {
    let mut trial = Trial::new(rules(by_percentage(100, 100)), 3);
    trial.calls(0, 5, Outcome::Success);
    trial.calls(1, 5, Outcome::Success);
    trial.calls(2, 2, Outcome::Failure);
    trial.calls(2, 5, Outcome::Ignore);

    trial.sweep();

    assert_eq!(trial.ejections(), []);
}
