use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use hickory_resolver::TokioResolver;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;
use tower::discover::Change;

/// Discovers the addresses of a name, and asks again when its records expire.
///
/// An address that stays keeps its backend. If the name cannot be resolved any more, or has no
/// address, those that are known stay: it is asked again, less and less often.
///
/// Needs the feature `dns`.
///
/// ```no_run
/// use std::net::SocketAddr;
///
/// use tower::service_fn;
/// use wt_balance::{Balance, Dns};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let maker = |address: SocketAddr| {
///     service_fn(move |request: String| async move {
///         Ok::<_, std::io::Error>(format!("{request} to {address}"))
///     })
/// };
/// let balance = Balance::new(Dns::new("backends.example.org", 443)?.discover(maker));
/// # let _ = balance;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dns {
    host: Arc<str>,
    port: u16,
    resolver: TokioResolver,
    bounds: Bounds,
}

impl Dns {
    /// Resolves a name as the system is configured to.
    ///
    /// # Errors
    ///
    /// Fails if the system's configuration cannot be read.
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Result<Self, BoxError> {
        let resolver = TokioResolver::builder_tokio()?.build()?;
        Ok(Self::with_resolver(host, port, resolver))
    }

    /// Resolves a name by this resolver.
    #[must_use]
    pub fn with_resolver(host: impl Into<Arc<str>>, port: u16, resolver: TokioResolver) -> Self {
        Self {
            host: host.into(),
            port,
            resolver,
            bounds: Bounds::default(),
        }
    }

    /// The least time between two questions, whatever the records say. Default: 1 s.
    #[must_use]
    pub fn at_least(mut self, at_least: Duration) -> Self {
        self.bounds.least = at_least;
        self
    }

    /// The most time between two questions, whatever the records say. Default: 5 min.
    #[must_use]
    pub fn at_most(mut self, at_most: Duration) -> Self {
        self.bounds.most = at_most;
        self
    }

    /// The stream of changes, where `maker` makes the service of each address.
    ///
    /// # Panics
    ///
    /// Polled, if it is outside of a tokio runtime with timers and network.
    pub fn discover<M, S>(self, maker: M) -> Addresses<M>
    where
        M: Fn(SocketAddr) -> S,
    {
        let Self {
            host,
            port,
            resolver,
            bounds,
        } = self;
        let lookup = move || -> Asking {
            let (host, resolver) = (Arc::clone(&host), resolver.clone());
            Box::pin(async move {
                let found = resolver.lookup_ip(&*host).await?;
                let expires = Instant::from_std(found.valid_until());
                Ok(Found {
                    addresses: found.iter().collect(),
                    lasts: expires.saturating_duration_since(Instant::now()),
                })
            })
        };
        Addresses::new(Box::new(lookup), port, bounds, maker)
    }
}

/// The addresses of a [`Dns`] name, as a stream of changes.
pub struct Addresses<M> {
    lookup: Lookup,
    port: u16,
    bounds: Bounds,
    maker: M,
    known: BTreeSet<SocketAddr>,
    /// Found, and not told yet.
    changes: VecDeque<Change<SocketAddr, ()>>,
    state: State,
    /// In a row.
    failures: u32,
}

type Lookup = Box<dyn Fn() -> Asking + Send>;
type Asking = Pin<Box<dyn Future<Output = Result<Found, BoxError>> + Send>>;

enum State {
    Asking(Asking),
    Waiting(Pin<Box<Sleep>>),
}

/// What a name is known by for so long.
#[derive(Clone, Debug)]
struct Found {
    addresses: Vec<IpAddr>,
    lasts: Duration,
}

/// Of the time between two questions.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: Duration,
    most: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            least: Duration::from_secs(1),
            most: Duration::from_secs(300),
        }
    }
}

impl Bounds {
    fn clamp(self, wait: Duration) -> Duration {
        // If they contradict each other, nobody is to be asked too often.
        wait.min(self.most).max(self.least)
    }
}

impl<M> Addresses<M> {
    fn new(lookup: Lookup, port: u16, bounds: Bounds, maker: M) -> Self {
        Self {
            state: State::Asking(lookup()),
            lookup,
            port,
            bounds,
            maker,
            known: BTreeSet::new(),
            changes: VecDeque::new(),
            failures: 0,
        }
    }

    fn found(&mut self, found: Found) {
        self.failures = 0;
        self.wait(found.lasts);
        let addresses = found.addresses.into_iter();
        let found: BTreeSet<_> = addresses.map(|ip| SocketAddr::new(ip, self.port)).collect();
        if found.is_empty() {
            tracing::debug!("the name has no address: those that are known stay");
            return;
        }
        let new = found.difference(&self.known);
        let inserts = new.map(|address| Change::Insert(*address, ()));
        let old = self.known.difference(&found);
        let removes = old.map(|address| Change::Remove(*address));
        // First who comes, so that somebody is there at any time.
        self.changes = inserts.chain(removes).collect();
        self.known = found;
    }

    fn failed(&mut self) {
        let wait = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.wait(wait);
    }

    fn wait(&mut self, wait: Duration) {
        self.state = State::Waiting(Box::pin(sleep(self.bounds.clamp(wait))));
    }
}

impl<M, S> Stream for Addresses<M>
where
    M: Fn(SocketAddr) -> S + Unpin,
{
    type Item = Result<Change<SocketAddr, S>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(change) = this.changes.pop_front() {
                let change = match change {
                    Change::Insert(address, ()) => Change::Insert(address, (this.maker)(address)),
                    Change::Remove(address) => Change::Remove(address),
                };
                return Poll::Ready(Some(Ok(change)));
            }
            match &mut this.state {
                // Asking => Waiting, with an answer or without
                State::Asking(asking) => match ready!(asking.as_mut().poll(cx)) {
                    Ok(found) => this.found(found),
                    Err(error) => {
                        this.failed();
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                // Waiting => Asking, when the answer has expired
                State::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    this.state = State::Asking((this.lookup)());
                }
            }
        }
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl<M> fmt::Debug for Addresses<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

/// How long a name is left alone that could not be resolved, for the first time.
const FIRST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};
    use std::sync::Mutex;

    use super::*;

    type Answers = Vec<Result<(Vec<u8>, u64), &'static str>>;

    /// Asks somebody who answers so, one after the other: addresses by their last byte, and how
    /// many seconds they last.
    fn discover(answers: Answers) -> Addresses<impl Fn(SocketAddr) -> u8> {
        let answers = Mutex::new(answers.into_iter());
        let lookup = move || -> Asking {
            let answer = answers.lock().unwrap().next().unwrap_or(Err("no more"));
            let found = answer.map(|(addresses, seconds)| Found {
                addresses: addresses.into_iter().map(ip).collect(),
                lasts: Duration::from_secs(seconds),
            });
            Box::pin(ready(found.map_err(BoxError::from)))
        };
        Addresses::new(Box::new(lookup), 443, Bounds::default(), last_byte)
    }

    fn ip(byte: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, byte])
    }

    fn last_byte(address: SocketAddr) -> u8 {
        match address.ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        }
    }

    /// The next change, as it is written, and how many seconds have gone by.
    async fn next<M: Fn(SocketAddr) -> u8 + Unpin>(
        addresses: &mut Addresses<M>,
        since: Instant,
    ) -> (u64, String) {
        let change = poll_fn(|cx| Pin::new(&mut *addresses).poll_next(cx)).await;
        let change = match change.unwrap() {
            Ok(Change::Insert(address, service)) => format!("+{address} {service}"),
            Ok(Change::Remove(address)) => format!("-{address}"),
            Err(error) => error.to_string(),
        };
        (since.elapsed().as_secs(), change)
    }

    async fn all(answers: Answers, n: usize) -> Vec<(u64, String)> {
        let since = Instant::now();
        let mut addresses = discover(answers);
        let mut all = Vec::new();
        for _ in 0..n {
            all.push(next(&mut addresses, since).await);
        }
        all
    }

    fn expected(all: &[(u64, &str)]) -> Vec<(u64, String)> {
        all.iter()
            .map(|(at, change)| (*at, (*change).to_owned()))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_again_when_the_records_expire() {
        let answers = vec![
            Ok((vec![1, 2], 30)),
            Ok((vec![2, 3], 60)),
            Ok((vec![3], 60)),
        ];

        let all = all(answers, 5).await;

        let changes = [
            (0, "+127.0.0.1:443 1"),
            (0, "+127.0.0.2:443 2"),
            (30, "+127.0.0.3:443 3"),
            (30, "-127.0.0.1:443"),
            (90, "-127.0.0.2:443"),
        ];
        assert_eq!(all, expected(&changes));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_stays_when_the_name_cannot_be_resolved() {
        let answers = vec![
            Ok((vec![1], 10)),
            Err("refused"),
            Err("refused"),
            Ok((vec![], 10)),
            Ok((vec![1, 2], 10)),
        ];

        let all = all(answers, 4).await;

        let changes = [
            (0, "+127.0.0.1:443 1"),
            (10, "refused"),
            (11, "refused"),
            (23, "+127.0.0.2:443 2"),
        ];
        assert_eq!(all, expected(&changes));
    }

    #[tokio::test(start_paused = true)]
    async fn records_that_do_not_last_or_last_for_ever_are_bounded() {
        let answers = vec![Ok((vec![1], 0)), Ok((vec![2], 1_000_000)), Ok((vec![3], 0))];

        let all = all(answers, 5).await;

        let changes = [
            (0, "+127.0.0.1:443 1"),
            (1, "+127.0.0.2:443 2"),
            (1, "-127.0.0.1:443"),
            (301, "+127.0.0.3:443 3"),
            (301, "-127.0.0.2:443"),
        ];
        assert_eq!(all, expected(&changes));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_less_and_less_often_while_it_fails() {
        let all = all(vec![Err("refused"); 12], 12).await;

        let at: Vec<_> = all.iter().map(|(at, _)| *at).collect();
        assert_eq!(at[..6], [0, 1, 3, 7, 15, 31]);
        assert_eq!(at[11] - at[10], 300);
    }
}
