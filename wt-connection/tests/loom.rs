//! The gate under every order in which a call and the task behind it can come.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

use loom::future::block_on;
use loom::sync::atomic::{self, AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

// The crate's own file, over loom's atomics and locks in place of std's.
#[path = "../src/gate/entry.rs"]
#[allow(dead_code, reason = "not all of it is tested here")]
mod gate;

mod lock {
    use loom::sync::{Mutex, MutexGuard};

    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

use gate::Gate;

/// What one thread does, and another waits for.
#[derive(Default)]
struct Event {
    happened: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Event {
    async fn wait(&self) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            match self.happened.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn happen(&self) {
        self.happened.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[test]
fn who_waits_behind_a_gate_is_not_left_waiting() {
    loom::model(|| {
        let event = Arc::new(Event::default());
        let other = Arc::clone(&event);
        let happening = thread::spawn(move || other.happen());

        let mut gate = Gate::new();
        block_on(gate.pass(pin!(event.wait())));

        happening.join().unwrap();
    });
}

/// The task looks at both whenever either happens.
#[test]
fn two_gates_of_one_task_are_both_passed() {
    loom::model(|| {
        let events = Arc::new([Event::default(), Event::default()]);
        let others = Arc::clone(&events);
        let happening = thread::spawn(move || others.iter().for_each(Event::happen));

        let mut gates = [Gate::new(), Gate::new()];
        let [first, second] = &mut gates;
        let (wait, other_wait) = (pin!(events[0].wait()), pin!(events[1].wait()));
        let mut first = pin!(first.pass(wait));
        let mut second = pin!(second.pass(other_wait));
        let mut passed = [false, false];
        block_on(poll_fn(|cx| {
            passed[0] = passed[0] || first.as_mut().poll(cx).is_ready();
            passed[1] = passed[1] || second.as_mut().poll(cx).is_ready();
            match passed {
                [true, true] => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }));

        happening.join().unwrap();
    });
}
