use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The wait before an attempt of a [`StandardPolicy`](crate::StandardPolicy).
///
/// None at all allocates nothing and needs no timer.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Wait(Option<Pin<Box<Sleep>>>);

impl Wait {
    /// # Panics
    ///
    /// If it is outside of a tokio runtime with timers, and not zero.
    pub(crate) fn new(duration: Duration) -> Self {
        // Boxed: the rare retry pays for the timer, not the size of every call's future.
        Self((!duration.is_zero()).then(|| Box::pin(sleep(duration))))
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}
