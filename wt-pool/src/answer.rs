use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::home::Home;
use crate::slots::Key;

/// The answer of a lent connection.
///
/// Dropped before it is there, it leaves the connection under suspicion, if the pool
/// [validates](crate::PoolLayer::validate): it has to prove that it is alive before it is lent
/// again.
#[must_use = "futures do nothing unless polled"]
#[pin_project::pin_project]
pub struct Answer<F, C> {
    #[pin]
    future: F,
    open: Option<Open<C>>,
}

/// A call that was not answered yet.
struct Open<C> {
    home: Arc<Home<C>>,
    key: Key,
    answered: bool,
}

impl<F, C> Answer<F, C> {
    pub(crate) fn new(future: F, home: &Arc<Home<C>>, key: Key) -> Self {
        let validates = home.common.calls.validate.is_some();
        let open = validates.then(|| Open {
            home: Arc::clone(home),
            key,
            answered: false,
        });
        Self { future, open }
    }
}

impl<F, C, R, E> Future for Answer<F, C>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        if let Some(mut open) = this.open.take() {
            open.answered = true;
            if answer.is_ok() {
                open.home.change(|stock| stock.vouch(open.key));
            }
        }
        Poll::Ready(answer)
    }
}

impl<C> Drop for Open<C> {
    fn drop(&mut self) {
        if !self.answered {
            self.home.stock.lock().suspect(self.key);
            self.home.rouse.notify_one();
        }
    }
}

impl<F, C> fmt::Debug for Answer<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}
