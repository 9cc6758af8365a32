//! Bounds on how long a test may wait.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// Fails the test if `test` takes longer than any of ours should.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    // On the heap: a test's future is large.
    let done = timeout(Duration::from_secs(8), Box::pin(test)).await;
    done.expect("the test is done in time")
}

/// Waits until `holds`, which other tasks bring about.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// Polls a future once and drops it; it must have had to wait.
pub(crate) async fn cancel<F: Future>(future: F) {
    let polled = once(pin!(future)).await;
    assert!(polled.is_none(), "there was nothing to wait for");
}

/// Polls a future once; `None` if it waits.
pub(crate) async fn once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
