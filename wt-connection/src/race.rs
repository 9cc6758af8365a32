//! Happy Eyeballs, [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305): every address is tried,
//! each a moment after the one before, and the first that answers wins.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The connection attempt delay of RFC 8305 §5.
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// Puts the families in turns, beginning with that of the first address (RFC 8305 §4).
pub(crate) fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut order = VecDeque::new();
    for address in first {
        order.push_back(address);
        order.extend(second.next());
    }
    order.extend(second);
    order
}

/// The attempts under way and those still to come.
pub(crate) struct Race<A, F, E> {
    waiting: VecDeque<SocketAddr>,
    attempt: A,
    running: Vec<Pin<Box<F>>>,
    next_start: Pin<Box<Sleep>>,
    failed: Option<E>,
    tells_more: fn(&E, &E) -> bool,
}

impl<A, F, C, E> Race<A, F, E>
where
    A: FnMut(SocketAddr) -> F,
    F: Future<Output = Result<C, E>>,
{
    /// Runs `attempt` for each of `addresses`, at least one; if all fail, the error that tells more
    /// than the others stands for all, and among equals the first. Whoever drops the race, at a
    /// deadline, learns nothing of those that have failed.
    pub(crate) fn new(
        addresses: Vec<SocketAddr>,
        attempt: A,
        tells_more: fn(&E, &E) -> bool,
    ) -> Self {
        Self {
            waiting: interleave(addresses),
            attempt,
            running: Vec::new(),
            next_start: Box::pin(tokio::time::sleep(Duration::ZERO)),
            failed: None,
            tells_more,
        }
    }

    fn start_next(&mut self) -> bool {
        let Some(address) = self.waiting.pop_front() else {
            return false;
        };
        self.running.push(Box::pin((self.attempt)(address)));
        self.next_start.as_mut().reset(Instant::now() + STAGGER);
        true
    }

    /// The first success, or why there will be none.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<Result<C, E>> {
        let mut index = 0;
        while index < self.running.len() {
            match self.running[index].as_mut().poll(cx) {
                Poll::Ready(Ok(connection)) => return Some(Ok(connection)),
                Poll::Ready(Err(error)) => {
                    drop(self.running.swap_remove(index));
                    if self
                        .failed
                        .as_ref()
                        .is_none_or(|failed| (self.tells_more)(&error, failed))
                    {
                        self.failed = Some(error);
                    }
                    // The next need not wait for its turn once one has failed.
                    if !self.start_next() && self.running.is_empty() {
                        return self.failed.take().map(Err);
                    }
                }
                Poll::Pending => index += 1,
            }
        }
        None
    }
}

// Nothing is pinned in place: the attempts and the sleep are boxed.
impl<A, F, E> Unpin for Race<A, F, E> {}

impl<A, F, C, E> Future for Race<A, F, E>
where
    A: FnMut(SocketAddr) -> F,
    F: Future<Output = Result<C, E>>,
{
    type Output = Result<C, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.running.is_empty() {
            self.start_next();
        }
        loop {
            if let Some(outcome) = self.poll_running(cx) {
                return Poll::Ready(outcome);
            }
            if self.waiting.is_empty() || self.next_start.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.start_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter()
            .map(|address| address.parse().unwrap())
            .collect()
    }

    #[test]
    fn families_take_turns() {
        let order = interleave(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"]));

        assert_eq!(
            order,
            addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_quarter_of_a_second() {
        let began = Instant::now();
        let race = Race::new(
            addresses(&["[::1]:1", "127.0.0.1:1"]),
            |address| async move {
                if address.is_ipv6() {
                    pending().await
                } else {
                    Ok::<_, ()>(address)
                }
            },
            |_, _| false,
        );

        let winner = race.await.unwrap();

        assert!(winner.is_ipv4());
        assert_eq!(began.elapsed(), STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_address_costs_nothing() {
        let began = Instant::now();
        let race = Race::new(
            addresses(&["[::1]:1", "127.0.0.1:1"]),
            |address| async move {
                if address.is_ipv6() {
                    Err(())
                } else {
                    Ok(address)
                }
            },
            |_, _| false,
        );

        let winner = race.await.unwrap();

        assert!(winner.is_ipv4());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_attempt_may_still_win_late() {
        let race = Race::new(
            addresses(&["[::1]:1", "127.0.0.1:1"]),
            |address| async move {
                if address.is_ipv4() {
                    return pending().await;
                }
                tokio::time::sleep(STAGGER * 2).await;
                Ok::<_, ()>(address)
            },
            |_, _| false,
        );

        assert!(race.await.unwrap().is_ipv6());
    }

    #[tokio::test(start_paused = true)]
    async fn the_failure_that_tells_most_stands_for_all() {
        // An address without a route hid the certificate that another had refused.
        let failures = RefCell::new([1, 3, 2].into_iter());
        let race = Race::new(
            addresses(&["[::1]:1", "[::2]:1", "[::3]:1"]),
            |_| {
                let failure = failures.borrow_mut().next().unwrap();
                async move { Err::<(), _>(failure) }
            },
            |new, old| new > old,
        );

        assert_eq!(race.await, Err(3));
    }
}
