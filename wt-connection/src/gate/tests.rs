use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

use tokio_test::{assert_pending, assert_ready, task};

use super::*;

/// Counts how often it is polled, and keeps the waker of the last time.
#[derive(Default)]
struct Counted {
    polls: Cell<u32>,
    waker: Cell<Option<Waker>>,
    ready: Cell<bool>,
}

impl Counted {
    async fn wait(&self) {
        poll_fn(|cx| {
            self.polls.set(self.polls.get() + 1);
            self.waker.set(Some(cx.waker().clone()));
            match self.ready.get() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn call(&self) {
        self.waker.take().expect("it was polled").wake();
    }
}

#[test]
fn what_has_not_asked_is_not_polled_again() {
    let (counted, mut gate) = (Counted::default(), Gate::new());
    let wait = pin!(counted.wait());
    let mut pass = task::spawn(gate.pass(wait));

    for _ in 0..3 {
        assert_pending!(pass.poll());
    }
    assert_eq!(counted.polls.get(), 1);
    counted.call();

    assert!(pass.is_woken());
    assert_pending!(pass.poll());
    assert_eq!(counted.polls.get(), 2);
}

#[test]
fn what_asks_while_nobody_polls_is_polled_next() {
    let (counted, mut gate) = (Counted::default(), Gate::new());
    let wait = pin!(counted.wait());
    let mut pass = task::spawn(gate.pass(wait));
    assert_pending!(pass.poll());

    counted.ready.set(true);
    counted.call();

    assert_ready!(pass.poll());
}

#[test]
fn another_in_the_place_of_one_that_waits_is_polled_once_that_has_asked() {
    let (counted, mut gate) = (Counted::default(), Gate::new());
    assert_pending!(task::spawn(gate.pass(pin!(counted.wait()))).poll());
    let wait = pin!(counted.wait());
    let mut second = task::spawn(gate.pass(wait));

    assert_pending!(second.poll());
    assert_eq!(counted.polls.get(), 1);
    counted.call();

    assert!(second.is_woken());
}

#[test]
fn what_follows_one_that_is_done_is_polled() {
    let (counted, mut gate) = (Counted::default(), Gate::new());
    counted.ready.set(true);
    assert_ready!(task::spawn(gate.pass(pin!(counted.wait()))).poll());
    counted.ready.set(false);

    assert_pending!(task::spawn(gate.pass(pin!(counted.wait()))).poll());

    assert_eq!(counted.polls.get(), 2);
}
