//! The words that threads share, under every order in which two of them can change these.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use loom::sync::Arc;
use loom::sync::atomic;
use loom::thread;

// The crate's own files, over loom's atomics in place of std's.
#[path = "../src/clock.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod clock;
#[path = "../src/gauge.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod gauge;
#[path = "../src/generation.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod generation;
#[path = "../src/rest.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod rest;
#[path = "../src/shared_streak.rs"]
mod shared_streak;
#[path = "../src/streak.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod streak;
#[path = "../src/policy/turn.rs"]
mod turn;

/// In place of the crate's own, which is std's mutex.
mod lock {
    use loom::sync::{Mutex, MutexGuard};

    #[derive(Debug)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

use clock::Nanos;
use gauge::Gauge;
use generation::Generation;
use rest::Rest;
use shared_streak::SharedStreak;
use turn::Turn;

#[test]
fn no_call_is_lost_and_none_is_left() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        let other = Arc::clone(&gauge);

        let thread = thread::spawn(move || {
            other.begin();
            other.end();
        });
        gauge.begin();
        assert!((1..=2).contains(&gauge.in_flight()));
        gauge.end();
        thread.join().unwrap();

        assert_eq!((gauge.in_flight(), gauge.calls()), (0, 2));
        assert!(gauge.is_idle());
    });
}

/// Its upper bits are full, and two calls begin.
#[test]
fn calls_are_counted_on_when_the_word_is_full() {
    loom::model(|| {
        let before = (1 << 39) - 1;
        let gauge = Arc::new(Gauge::of(before));
        let other = Arc::clone(&gauge);

        let thread = thread::spawn(move || other.begin());
        gauge.begin();
        thread.join().unwrap();

        assert_eq!((gauge.in_flight(), gauge.calls()), (2, before + 2));
    });
}

/// Who shuts down sees that a call is under way, or hears of its end.
#[test]
fn the_last_end_is_seen_or_told() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        gauge.begin();
        let ending = Arc::clone(&gauge);

        let call = thread::spawn(move || ending.end().1);
        gauge.await_end();
        let idle = gauge.is_idle();
        let told = call.join().unwrap();

        assert!(idle || told);
    });
}

/// Who shuts down sees a call that begins, or it may not.
#[test]
fn no_call_begins_unseen_after_the_end() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        let beginning = Arc::clone(&gauge);

        let call = thread::spawn(move || {
            let may = beginning.begin().1;
            if !may {
                beginning.end();
            }
            may
        });
        gauge.await_end();
        let idle = gauge.is_idle();
        let began = call.join().unwrap();

        assert!(!(idle && began));
        assert_eq!(gauge.is_idle(), !began);
    });
}

/// Two find out at once that a service is of no use: one of them sees to it.
#[test]
fn a_service_is_retired_by_one_alone_and_never_comes_back() {
    loom::model(|| {
        let generation = Arc::new(Generation::new());
        let other = Arc::clone(&generation);

        let thread = thread::spawn(move || other.retire(0));
        let one = generation.retire(0);

        assert!(one ^ thread.join().unwrap());
        assert!(!generation.is_current(0) && generation.is_current(1));
    });
}

#[test]
fn a_service_that_is_retired_late_does_not_bring_back_who_was_removed() {
    loom::model(|| {
        let generation = Arc::new(Generation::new());
        let other = Arc::clone(&generation);

        let thread = thread::spawn(move || other.retire(0));
        generation.remove();
        thread.join().unwrap();

        assert!(generation.is_removed());
    });
}

/// A call that ends just now must not undo what the backend has asked for.
#[test]
fn what_a_backend_asked_for_outlasts_the_end_of_a_rest() {
    loom::model(|| {
        let rest = Arc::new(Rest::new());
        rest.begin(100);
        let other = Arc::clone(&rest);

        let thread = thread::spawn(move || other.ask(1000));
        rest.end();
        rest.end_by(50);
        thread.join().unwrap();

        assert!(rest.until() >= 1000 && !rest.is_over(999));
        rest.end_by(2000);
        assert_eq!(rest.until(), 0);
    });
}

/// It began after the failure, and succeeds.
fn succeed(streak: &SharedStreak) {
    if streak.is_on() {
        streak.change(|streak| {
            if streak.is_ended_by(Nanos(2)) {
                *streak = streak::Streak::default();
            }
        });
    }
}

fn failed() -> Arc<SharedStreak> {
    let streak = SharedStreak::new();
    streak.change(|streak| streak.failure(LONGEST, 0, NEVER, Nanos(2)));
    Arc::new(streak)
}

/// The words of a streak used to be stored one by one: a rest without a failure was never ended.
#[test]
fn a_success_ends_a_streak_though_another_call_begins() {
    loom::model(|| {
        let streak = failed();
        let other = Arc::clone(&streak);

        let thread = thread::spawn(move || {
            if other.until() != 0 {
                other.change(|streak| streak.call(LONGEST, Nanos(3)));
            }
        });
        succeed(&streak);
        thread.join().unwrap();

        assert!(!streak.is_on());
        assert_eq!(
            (streak.until(), streak.get()),
            (0, streak::Streak::default())
        );
    });
}

#[test]
fn a_failure_and_a_success_leave_a_whole_streak_or_none() {
    loom::model(|| {
        let streak = failed();
        let other = Arc::clone(&streak);

        let fail = move || other.change(|streak| streak.failure(LONGEST, 0, NEVER, Nanos(3)));
        let thread = thread::spawn(fail);
        succeed(&streak);
        thread.join().unwrap();

        let is = streak.get();
        assert_eq!(
            (is.failures > 0, is.until > 0),
            (streak.is_on(), streak.is_on())
        );
        assert_eq!(streak.until(), is.until & !1);
        succeed(&streak);
        assert!(!streak.is_on() || streak.get().since == 3);
    });
}

const LONGEST: u64 = 1 << 20;
const NEVER: Nanos = Nanos(0);

/// Of three, two at once take the turns of two, and the third one's is next.
#[test]
fn no_turn_is_taken_twice_and_none_is_left_out() {
    loom::model(|| {
        let turn = Arc::new(Turn::default());
        let other = Arc::clone(&turn);
        let take = |turn: &Turn| {
            let taken = turn.take(|last| Some(last as usize % 3), |place| place as u64 + 1);
            taken.unwrap()
        };

        let thread = thread::spawn(move || take(&other));
        let one = take(&turn);
        let two = thread.join().unwrap();

        assert_eq!(one + two, 1);
        assert_ne!(one, two);
        assert_eq!(take(&turn), 2);
    });
}
