use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

/// Waits until `check` finds what it looks for; whoever changes its answer notifies.
pub(crate) async fn until<T>(notify: &Notify, mut check: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = check() {
            return found;
        }
        let mut notified = pin!(notify.notified());
        notified.as_mut().enable();
        // What changed between the look and the registration woke nobody.
        if let Some(found) = check() {
            return found;
        }
        notified.await;
    }
}

/// Polls once, outside of any task; `None` where the future would wait.
pub(crate) fn at_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls once, and says `None` where the future would wait.
pub(crate) async fn now<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
