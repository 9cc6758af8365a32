//! The hand-off in every order that two threads can have.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "one file of the crate by itself"
)]

#[path = "../src/hand_off.rs"]
mod hand_off;

/// The crate's lock, made of loom's.
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

use std::future::poll_fn;
use std::task::{Context, Waker};

use hand_off::HandOff;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

#[test]
fn what_is_given_arrives_and_wakes_who_sleeps() {
    loom::model(|| {
        let hand_off = Arc::new(HandOff::new());
        let giver = Arc::clone(&hand_off);
        let given = thread::spawn(move || {
            if let Ok(Some(waker)) = giver.give(7) {
                waker.wake();
            }
        });

        // Were the waker lost, this would sleep for ever, which loom reports.
        let taken = block_on(poll_fn(|cx| hand_off.poll_take(cx)));

        assert_eq!(taken, 7);
        given.join().unwrap();
    });
}

#[test]
fn one_who_goes_away_loses_nothing() {
    loom::model(|| {
        let hand_off = Arc::new(HandOff::new());
        let giver = Arc::clone(&hand_off);
        let given = thread::spawn(move || giver.give(7).is_ok());
        let mut cx = Context::from_waker(Waker::noop());

        let taken = hand_off.poll_take(&mut cx).is_ready();
        let taken = taken || hand_off.abandon().is_some();

        // It is with the giver, or with the taker: never with both, never with none.
        assert_eq!(given.join().unwrap(), taken);
    });
}

#[test]
fn of_two_givers_one_keeps_what_it_has() {
    loom::model(|| {
        let hand_off = Arc::new(HandOff::new());
        let giver = Arc::clone(&hand_off);
        let other = thread::spawn(move || giver.give(1).is_ok());

        let mine = hand_off.give(2).is_ok();

        assert!(mine != other.join().unwrap());
        assert_eq!(hand_off.abandon(), Some(if mine { 2 } else { 1 }));
    });
}
