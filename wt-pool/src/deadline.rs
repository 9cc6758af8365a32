use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How long somebody waits at most; the clock is first read when it waits.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    since: Instant,
    /// `None` without a limit.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Ready, with the time waited, once the limit has passed since the first poll.
    pub(crate) fn poll(&mut self, limit: Option<Duration>, cx: &mut Context<'_>) -> Poll<Duration> {
        let begun = self.begun.get_or_insert_with(|| Begun::new(limit));
        let Some(sleep) = &mut begun.sleep else {
            return Poll::Pending;
        };
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(begun.since.elapsed())
    }
}

impl Begun {
    fn new(limit: Option<Duration>) -> Self {
        let since = Instant::now();
        let end = limit.and_then(|limit| since.checked_add(limit));
        let sleep = end.map(|end| Box::pin(sleep_until(end)));
        Self { since, sleep }
    }
}
