//! Does a pick wait for discovery?

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tower::discover::Change;
use tower::{BoxError, Service};
use wt_balance::Balance;

use crate::Answering;

const CHANGES: u32 = 10_000;
const STAYING: u32 = 100;
const PICKERS: usize = 2;
const ROUNDS: usize = 9;
/// Between two picks of a thread.
const PAUSE: Duration = Duration::from_micros(20);

type Changes = Result<Change<u32, Answering>, BoxError>;

/// The longest that a pick takes, in microseconds, while ten thousand changes are made.
///
/// The threads pick, and then wait a little: with more threads that never wait than cores, the
/// longest time is that for which the system gives a core to another. It is the longest of all
/// rounds.
pub(crate) fn measure() -> f64 {
    println!(
        "\n| picks during {CHANGES} changes | longest, us | changes, ms |\n| --- | --- | --- |"
    );
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

fn round() -> f64 {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let (sender, receiver) = mpsc::channel::<Changes>(1024);
    let balance = runtime.block_on(async {
        let balance = Balance::new(Following(receiver));
        for key in 0..STAYING {
            sender
                .send(Ok(Change::Insert(key, Answering)))
                .await
                .unwrap();
        }
        while balance.snapshot().known < STAYING as usize {
            tokio::task::yield_now().await;
        }
        balance
    });
    let done = Arc::new(AtomicBool::new(false));
    let pickers = [(); PICKERS].map(|()| {
        let (balance, done) = (balance.clone(), Arc::clone(&done));
        thread::spawn(move || pick(balance, &done))
    });
    let began = Instant::now();
    runtime.block_on(async {
        for n in 0..CHANGES {
            let change = if n < CHANGES / 2 {
                Change::Insert(STAYING + n, Answering)
            } else {
                Change::Remove(STAYING + n - CHANGES / 2)
            };
            sender.send(Ok(change)).await.unwrap();
        }
        while balance.snapshot().known > STAYING as usize {
            tokio::task::yield_now().await;
        }
    });
    let took = began.elapsed();
    done.store(true, Ordering::Relaxed);
    let seen = pickers.map(|picker| picker.join().unwrap());
    let picks: usize = seen.iter().map(|(picks, _)| picks).sum();
    let longest = seen.iter().map(|(_, longest)| *longest).max().unwrap();
    let (longest, took) = (longest.as_secs_f64() * 1e6, took.as_secs_f64() * 1e3);
    println!("| {picks} | {longest:.1} | {took:.1} |");
    longest
}

/// How many picks there were, and the longest of them.
fn pick(mut balance: Balance<u32, Answering>, done: &AtomicBool) -> (usize, Duration) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut picks, mut longest) = (0, Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        let ready = Service::<u64>::poll_ready(&mut balance, &mut cx);
        longest = longest.max(began.elapsed());
        picks += 1;
        assert!(matches!(ready, Poll::Ready(Ok(()))));
        assert!(pin!(balance.call(1)).poll(&mut cx).is_ready());
        thread::park_timeout(PAUSE);
    }
    (picks, longest)
}

struct Following(mpsc::Receiver<Changes>);

impl Stream for Following {
    type Item = Changes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Changes>> {
        self.0.poll_recv(cx)
    }
}
