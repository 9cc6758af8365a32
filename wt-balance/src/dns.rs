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
        let mut builder = TokioResolver::builder_tokio()?;
        // What is remembered here need not be remembered there, for longer than it is wanted.
        builder.options_mut().cache_size = 0;
        let resolver = builder.build()?;
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
    ///
    /// A [resolver of your own](Self::with_resolver) with a cache answers from that until they
    /// expire.
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
mod tests;
