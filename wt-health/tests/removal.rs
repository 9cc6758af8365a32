//! Who holds a backend while it is removed has it, or has not, for all the same.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::Builder;
use wt_health::Monitor;

const ROUNDS: usize = 20_000;

/// Waits until both are there, without a lock.
fn meet(arrived: &AtomicUsize, round: usize) {
    arrived.fetch_add(1, Ordering::SeqCst);
    while arrived.load(Ordering::SeqCst) < 2 * (round + 1) {
        std::hint::spin_loop();
        thread::yield_now();
    }
}

#[test]
fn a_layer_that_is_made_while_others_are_removed_has_the_backend() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let monitor = Monitor::new();
    let arrived = Arc::new(AtomicUsize::new(0));
    let (other, met) = (monitor.clone(), Arc::clone(&arrived));
    let remover = thread::spawn(move || {
        for round in 0..ROUNDS {
            meet(&met, 2 * round);
            other.remove(&"a");
            meet(&met, 2 * round + 1);
        }
    });

    for round in 0..ROUNDS {
        drop(monitor.layer("a"));
        meet(&arrived, 2 * round);
        let layer = monitor.layer("a");
        meet(&arrived, 2 * round + 1);

        // Whoever was first, this one was not removed.
        let again = monitor.layer("a");
        assert_eq!(monitor.snapshot().had, 1, "{round}");
        drop((layer, again));
    }
    remover.join().unwrap();
}
