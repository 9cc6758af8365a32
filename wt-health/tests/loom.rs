//! What calls share, alone and under every order in which two threads can change it.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![allow(
    dead_code,
    unnameable_types,
    unreachable_pub,
    clippy::exhaustive_enums,
    reason = "not all of the crate is here"
)]

use std::task::{Context, Poll};
use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic;
use loom::thread;
use tokio::time::Instant;

// The crate's own files, over loom's atomics in place of std's.
#[path = "../src/cell.rs"]
mod cell;
#[path = "../src/classify.rs"]
mod classify;
#[path = "../src/clock.rs"]
mod clock;
#[path = "../src/gate.rs"]
mod gate;
#[path = "../src/judge.rs"]
mod judge;
#[path = "../src/tally.rs"]
mod tally;

use cell::{Cell, Shared};
use classify::Outcome;
use clock::{Clock, TICK};
use gate::{Gate, Mode};
use judge::{Id, Judge, Place};
use tally::Tally;

/// Counts how often it is told of failures in a row.
#[derive(Debug, Default)]
struct Told(std::sync::atomic::AtomicUsize);

impl Judge for Told {
    fn poll_admit(&self, _: Id, _: &mut Place, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
    fn leave(&self, _: Id, _: Place) {}
    fn waits(&self, _: Id, _: u64) {}
    fn called(&self, _: Id, _: u64) {}
    fn give_back(&self, _: Id, _: u64) {}
    fn failed(&self, _: Id, _: u32) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
    fn proved(&self, _: Id, _: u32, _: bool) {}
    fn wake_clock(&self) -> u64 {
        0
    }
    fn unwatch(&self, _: Id) {}
    fn release(&self, _: Id, _: u64) {}
}

/// One who is told of each second failure in a row, and what he is told of.
fn cell() -> (std::sync::Arc<Told>, Arc<Cell>) {
    let told = std::sync::Arc::new(Told::default());
    let shared = Shared {
        consecutive: 2,
        clock: std::sync::Arc::new(Clock::new(Instant::now())),
        judge: std::sync::Arc::downgrade(&told) as _,
    };
    let id = Id {
        place: 0,
        serial: 0,
    };
    let cell = Cell::new(id, Gate::new(0, Mode::Counting, true), &shared);
    (told, Arc::new(cell))
}

#[test]
fn of_two_failures_at_once_one_is_told_of() {
    loom::model(|| {
        let (told, cell) = cell();
        let other = Arc::clone(&cell);
        let other = thread::spawn(move || other.record(0, Outcome::Failure));

        cell.record(0, Outcome::Failure);
        other.join().unwrap();

        assert_eq!(told.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    });
}

#[test]
fn each_row_of_so_many_more_is_told_of() {
    loom::model(|| {
        let (told, cell) = cell();
        let told = [(); 5].map(|()| {
            cell.record(0, Outcome::Failure);
            told.0.load(std::sync::atomic::Ordering::SeqCst)
        });

        assert_eq!(told, [0, 1, 1, 2, 2]);
    });
}

#[test]
fn a_failure_from_before_an_ejection_is_none_after_it() {
    loom::model(|| {
        let (_told, cell) = cell();
        cell.record(0, Outcome::Failure);
        let other = Arc::clone(&cell);
        let other = thread::spawn(move || other.record(0, Outcome::Failure));

        cell.set_gate(Gate::new(1, Mode::Ignoring, false));
        cell.set_gate(Gate::new(2, Mode::Counting, true));
        cell.record(2, Outcome::Failure);
        other.join().unwrap();

        assert_eq!(cell.tally.streak(2), 1);
    });
}

#[test]
fn a_clock_that_is_read_meanwhile_has_its_last_tick_or_sleeps() {
    loom::model(|| {
        let began = Instant::now();
        let clock = Arc::new(Clock::new(began));
        clock.wake(began);
        let other = Arc::clone(&clock);
        let other = thread::spawn(move || other.read());

        clock.tick(began + TICK);
        clock.tick(began + 2 * TICK);
        let read = other.join().unwrap();

        let time = |ticks: u64| Some(ticks * 125_000_000);
        assert!(
            [None, time(0), time(1), time(2)].contains(&read),
            "{read:?}"
        );
        assert!([None, time(2)].contains(&clock.read()));
    });
}

#[test]
fn a_clock_that_is_woken_while_it_falls_asleep_is_awake_or_can_be_woken() {
    loom::model(|| {
        let began = Instant::now();
        let clock = Arc::new(Clock::new(began));
        clock.wake(began);
        clock.tick(began + TICK);
        let other = Arc::clone(&clock);
        let other = thread::spawn(move || other.wake(began + 2 * TICK));

        clock.tick(began + 2 * TICK);
        assert_eq!(other.join().unwrap(), 250_000_000);

        assert!([None, Some(250_000_000)].contains(&clock.read()));
        clock.wake(began + 3 * TICK);
        clock.tick(began + 4 * TICK);
        assert_eq!(clock.read(), Some(500_000_000));
    });
}

#[test]
fn a_clock_is_as_late_as_its_last_tick() {
    loom::model(|| {
        let began = Instant::now();
        let clock = Clock::new(began);
        clock.wake(began + TICK);
        let read = clock.read().unwrap();

        assert_eq!(read, 125_000_000);
        let later = began + TICK + Duration::from_secs(1);
        assert_eq!(clock.since(read, later), Duration::from_secs(1));
        assert_eq!(clock.since(read, began), Duration::ZERO);
        clock.tick(began + 2 * TICK);
        assert_eq!(clock.read(), Some(250_000_000));
    });
}

#[test]
fn a_clock_sleeps_while_nobody_reads_it() {
    loom::model(|| {
        let began = Instant::now();
        let clock = Clock::new(began);
        assert_eq!(clock.read(), None);
        clock.tick(began + TICK);
        assert!(!clock.is_awake());

        clock.wake(began + TICK);
        clock.tick(began + 2 * TICK);
        assert!(clock.is_awake());
        clock.tick(began + 3 * TICK);

        assert!(!clock.is_awake());
    });
}

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
