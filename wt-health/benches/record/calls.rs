use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::time::Instant;
use tower::Service;

/// Answers at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering;

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("failed")]
pub(crate) struct Failed;

impl Service<u64> for Answering {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(black_box(request)))
    }
}

/// Nanoseconds for one of so many calls.
pub(crate) fn one_thread<S: Service<u64, Response = u64>>(mut service: S, calls: u32) -> f64 {
    let mut context = Context::from_waker(Waker::noop());
    let began = Instant::now();
    for request in 0..u64::from(calls) {
        assert!(service.poll_ready(&mut context).is_ready());
        let call = pin!(service.call(black_box(request)));
        let Poll::Ready(Ok(answer)) = call.poll(&mut context) else {
            panic!("it answers at once");
        };
        assert_eq!(answer, request);
    }
    began.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Nanoseconds for one of so many calls of each of two threads that begin together.
pub(crate) fn two_threads<S>(services: [S; 2], calls: u32) -> f64
where
    S: Service<u64, Response = u64> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(2));
    let threads = services.map(|service| {
        let barrier = Arc::clone(&barrier);
        thread::spawn(move || {
            barrier.wait();
            one_thread(service, calls)
        })
    });
    let figures = threads.map(|thread| thread.join().unwrap());
    f64::midpoint(figures[0], figures[1])
}
