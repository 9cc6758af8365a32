//! The budget's words under every order in which two threads can change them.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use loom::sync::Arc;
use loom::sync::atomic;
use loom::thread;

// The crate's own files, over loom's atomics in place of std's.
#[path = "../src/budget/bucket.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod bucket;
#[path = "../src/budget/purse.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod purse;

use std::time::Duration;

use bucket::Bucket;
use purse::{Purse, RETRY};

#[test]
fn two_threads_do_not_spend_the_same_retry() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::new(Purse::of(1)));

        let spent = both(&bucket, |bucket| bucket.take(RETRY));

        assert_eq!(spent, 1);
        assert_eq!(bucket.left(), Purse(0));
    });
}

#[test]
fn two_threads_do_not_take_the_same_of_the_floor() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::new(Purse::of(0)));

        let spent = both(&bucket, |bucket| {
            bucket.take_floor(1, Duration::from_secs(1))
        });

        assert_eq!(spent, 1);
    });
}

#[test]
fn a_deposit_is_not_lost_beside_a_withdrawal() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::new(Purse::of(2)));
        bucket.lose(RETRY);
        let other = Arc::clone(&bucket);

        let depositor = thread::spawn(move || other.put(RETRY));
        assert!(bucket.take(RETRY));
        depositor.join().unwrap();

        assert_eq!(bucket.left(), Purse::of(1));
    });
}

#[test]
fn two_deposits_do_not_exceed_the_limit() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::new(Purse::of(2)));
        bucket.lose(RETRY);

        both(&bucket, |bucket| {
            bucket.put(RETRY);
            true
        });

        assert!(bucket.is_as_new(Duration::ZERO));
    });
}

#[test]
fn two_failures_both_count() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::new(Purse::of(3)));

        both(&bucket, |bucket| {
            bucket.lose(RETRY);
            true
        });

        assert_eq!(bucket.left(), Purse::of(1));
    });
}

/// Lets two threads do the same; says for how many it was true.
fn both(bucket: &Arc<Bucket>, act: fn(&Bucket) -> bool) -> usize {
    let other = Arc::clone(bucket);
    let thread = thread::spawn(move || act(&other));
    let here = act(bucket);
    usize::from(here) + usize::from(thread.join().expect("the thread does not panic"))
}
