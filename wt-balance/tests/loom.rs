//! The words that threads share, under every order in which two of them can change these.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use loom::sync::Arc;
use loom::sync::atomic;
use loom::thread;

// The crate's own file, over loom's atomics in place of std's.
#[path = "../src/gauge.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod gauge;

use gauge::Gauge;

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
