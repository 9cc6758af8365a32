//! The tally, alone and under every order in which two threads can change it.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use loom::sync::Arc;
use loom::sync::atomic;
use loom::thread;

// The crate's own file, over loom's atomics in place of std's.
#[path = "../src/tally.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod tally;

use tally::Tally;

fn beside<R: Send + 'static>(
    tally: &Arc<Tally>,
    act: impl FnOnce(&Tally) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let tally = Arc::clone(tally);
    thread::spawn(move || act(&tally))
}

#[test]
fn no_outcome_is_lost_or_taken_twice() {
    loom::model(|| {
        let tally = Arc::new(Tally::default());
        let other = beside(&tally, |tally| {
            tally.success(0);
            tally.failure(0);
        });

        let first = tally.take();
        tally.success(0);
        other.join().unwrap();
        let rest = tally.take();

        assert_eq!(first.successes + rest.successes, 2);
        assert_eq!(first.failures + rest.failures, 1);
    });
}

#[test]
fn two_failures_are_two_in_a_row() {
    loom::model(|| {
        let tally = Arc::new(Tally::default());
        let other = beside(&tally, |tally| tally.failure(0));

        let here = tally.failure(0);
        let there = other.join().unwrap();

        assert_eq!(here.max(there), 2);
        assert_eq!(tally.streak(0), 2);
    });
}

#[test]
fn a_success_ends_the_row_that_it_sees() {
    loom::model(|| {
        let tally = Arc::new(Tally::default());
        tally.failure(0);
        let other = beside(&tally, |tally| tally.failure(0));

        tally.success(0);
        other.join().unwrap();

        // Before the second failure, or after it.
        assert!(tally.streak(0) <= 1);
    });
}

#[test]
fn a_late_failure_does_not_touch_a_new_row() {
    loom::model(|| {
        let tally = Arc::new(Tally::default());
        tally.failure(0);
        let other = beside(&tally, |tally| tally.failure(0));

        tally.failure(1);
        other.join().unwrap();

        assert_eq!(tally.streak(1), 1);
    });
}

#[test]
fn a_late_success_does_not_end_a_new_row() {
    loom::model(|| {
        let tally = Arc::new(Tally::default());
        tally.failure(0);
        let other = beside(&tally, |tally| tally.success(0));

        tally.failure(1);
        other.join().unwrap();

        assert_eq!(tally.streak(1), 1);
    });
}

#[test]
fn failures_in_a_row_are_counted() {
    loom::model(|| {
        let tally = Tally::default();

        assert_eq!([tally.failure(0), tally.failure(0)], [1, 2]);
        tally.success(0);

        assert_eq!(tally.failure(0), 1);
    });
}

#[test]
fn a_new_epoch_begins_a_new_row() {
    loom::model(|| {
        let tally = Tally::default();
        tally.failure(0);

        assert_eq!(tally.failure(1), 1);
        assert_eq!((tally.streak(0), tally.streak(1)), (0, 1));
    });
}

#[test]
fn late_outcomes_do_not_touch_the_row() {
    loom::model(|| {
        let tally = Tally::default();
        tally.failure(7);

        assert_eq!(tally.failure(6), 0);
        tally.success(6);

        assert_eq!(tally.streak(7), 1);
    });
}

#[test]
fn epochs_go_round() {
    loom::model(|| {
        let tally = Tally::default();
        assert_eq!(tally.failure(u32::MAX), 0);
        let tally = Tally::default();
        tally.failure(1);
        tally.failure(u32::MAX / 2);
        tally.failure(u32::MAX - 1);

        assert_eq!(tally.failure(u32::MAX), 1);
        assert_eq!(tally.failure(0), 1);
    });
}

#[test]
fn outcomes_are_counted_by_kind() {
    loom::model(|| {
        let tally = Tally::default();
        tally.success(0);
        tally.failure(0);
        tally.take();
        tally.ignored();

        let (all, new) = (tally.read(), tally.take());

        assert_eq!((all.successes, all.failures, all.ignored), (1, 1, 1));
        assert_eq!((new.calls(), new.ignored), (0, 1));
        assert!(!new.is_empty() && tally.take().is_empty());
    });
}
