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
use tokio_test::task;

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
        let cx = Context::from_waker(Waker::noop());

        let taken = hand_off.poll_take(&cx).is_ready();
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

#[test]
fn what_is_given_arrives_once() {
    loom::model(|| {
        let hand_off = HandOff::new();
        hand_off.give(7).unwrap();

        assert_eq!(hand_off.give(8).err(), Some(8));
        assert_eq!(block_on(poll_fn(|cx| hand_off.poll_take(cx))), 7);

        assert_eq!(hand_off.abandon(), None);
        assert_eq!(hand_off.give(9).err(), Some(9));
    });
}

#[test]
fn the_last_waker_is_the_one_woken() {
    loom::model(|| {
        let hand_off = HandOff::new();
        let (mut first, mut last) = (task::spawn(()), task::spawn(()));
        for taker in [&mut first, &mut last] {
            assert!(taker.enter(|cx, _| hand_off.poll_take(cx)).is_pending());
        }

        hand_off.give(7).unwrap().unwrap().wake();

        assert!(!first.is_woken());
        assert!(last.is_woken());
    });
}
