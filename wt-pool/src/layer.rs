use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use tower::MakeService;
use tower::load::CompleteOnResponse;
use tower_layer::Layer;
use tower_service::Service;

use crate::backoff::Exponential;
use crate::common::{BoxFuture, Calls, Common, Delays, MakeShared, Proof, Prove, Watch};
use crate::owner::Owned;
use crate::room::Room;
use crate::rules::Rules;
use crate::service::Pool;
use crate::shared::Lent;
use crate::validate::Validate;

/// Turns a maker of connections into a [`Pool`] that lends them; see the [crate docs](crate).
///
/// `T` is the maker's target, `Req` the connections' request, `C` the connection, all of them known
/// by the maker; `Tc` says how long a slot is held, see [`completion`](Self::completion).
///
/// The default lends each connection to one borrower at a time, and has 10 connections per target.
///
/// # Clone
///
/// Clones share the closures; each pool that a layer makes has its own connections.
pub struct PoolLayer<T, Req, C, Tc = CompleteOnResponse> {
    rules: Rules,
    completion: Tc,
    share: Option<MakeShared<C>>,
    closed: Option<Watch<C>>,
    validate: Option<Prove<C>>,
    backoff: Arc<dyn Fn() -> Delays + Send + Sync>,
    _of: PhantomData<fn(T, Req)>,
}

impl<T, Req, C> PoolLayer<T, Req, C> {
    /// At most so many connections per target, each lent to one borrower at a time.
    ///
    /// One that is no longer lent counts until its last slot comes back, but for one that is dead.
    /// Of shared connections that are discarded or replaced while others use them, as many again
    /// may be open.
    ///
    /// # Panics
    ///
    /// Panics if `max_connections` is 0.
    #[must_use]
    pub fn new(max_connections: usize) -> Self {
        assert!(
            max_connections > 0,
            "a pool without connections is of no use"
        );
        Self {
            rules: Rules::new(max_connections),
            completion: CompleteOnResponse::default(),
            share: None,
            closed: None,
            validate: None,
            backoff: Arc::new(|| Box::new(Exponential::default())),
            _of: PhantomData,
        }
    }
}

impl<T, Req, C, Tc> PoolLayer<T, Req, C, Tc> {
    /// Lends each connection to many borrowers at once, up to what `capacity` says of it; by
    /// default, connections are exclusive.
    ///
    /// The capacity is asked for whenever it matters, and may rise and fall while the connection
    /// lives. 0 is none for now; a fall sends nobody away; a rise is noticed within 100 ms by those
    /// who wait. Requests go to the oldest connection with room, and another connection is made
    /// when all are full.
    #[must_use]
    pub fn shared<F>(mut self, capacity: F) -> Self
    where
        C: Clone + Send + Sync + 'static,
        F: Fn(&C) -> usize + Send + Sync + 'static,
    {
        let capacity = Arc::new(capacity);
        self.rules.shared = true;
        self.share = Some(Arc::new(move |connection| {
            let capacity = Arc::clone(&capacity);
            Arc::new(Lent {
                connection,
                capacity,
            })
        }));
        self
    }

    /// Sets how long a request that goes through [`Pool::service`] holds its slot: until
    /// `completion` drops it. By default that is when the response is there
    /// ([`CompleteOnResponse`]).
    ///
    /// A response that goes on, as a body or a session does, is to hold it for as long.
    #[must_use]
    pub fn completion<N>(self, completion: N) -> PoolLayer<T, Req, C, N> {
        PoolLayer {
            rules: self.rules,
            completion,
            share: self.share,
            closed: self.closed,
            validate: self.validate,
            backoff: self.backoff,
            _of: PhantomData,
        }
    }

    /// Sets how many connections all targets may have together; unlimited by default.
    ///
    /// At the limit, a target in need is given the room of the connection that has been idle for
    /// longest, whatever its target is.
    ///
    /// # Panics
    ///
    /// Panics if `max_total` is 0.
    #[must_use]
    pub fn max_total(mut self, max_total: usize) -> Self {
        assert!(max_total > 0, "a pool without connections is of no use");
        self.rules.max_total = Some(max_total);
        self
    }

    /// Sets how many may wait for one target; 1,024 by default. Whoever comes then is refused.
    ///
    /// # Panics
    ///
    /// Panics if `max_waiters` is 0: a connection that has to be made is waited for.
    #[must_use]
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        assert!(max_waiters > 0, "a new connection has to be waited for");
        self.rules.max_waiters = max_waiters;
        self
    }

    /// Sets how long anybody waits for a connection; 30 s by default. `None` is without limit.
    ///
    /// # Panics
    ///
    /// Panics if `acquire_timeout` is zero.
    #[must_use]
    pub fn acquire_timeout(mut self, acquire_timeout: Option<Duration>) -> Self {
        assert_not_zero(acquire_timeout, "a new connection has to be waited for");
        self.rules.acquire_timeout = acquire_timeout;
        self
    }

    /// Sets after how long without use a connection is closed; 300 s by default. `None` closes
    /// none.
    ///
    /// No clock is read for each use of a shared connection: it may stay for an eighth longer.
    ///
    /// # Panics
    ///
    /// Panics if `idle_timeout` is zero.
    #[must_use]
    pub fn idle_timeout(mut self, idle_timeout: Option<Duration>) -> Self {
        assert_not_zero(idle_timeout, "every connection would be idle");
        self.rules.idle_timeout = idle_timeout;
        self
    }

    /// Sets how often each connection is asked whether it is alive; 60 s by default.
    ///
    /// # Panics
    ///
    /// Panics if `sweep_interval` is zero.
    #[must_use]
    pub fn sweep_interval(mut self, sweep_interval: Duration) -> Self {
        let message = "asking all the time leaves time for nothing else";
        assert_not_zero(Some(sweep_interval), message);
        self.rules.sweep_interval = sweep_interval;
        self
    }

    /// Sets after how long a connection is replaced, give or take a tenth, by chance; never by
    /// default (`None`).
    ///
    /// Its replacement opens first. The old one is lent until that is there, drains then, and
    /// closes when its last slot comes back. Shared connections do so at the limit of connections,
    /// too: one more is open for that moment, and one that drains does not count. Exclusive ones
    /// are never more than the limit; at the limit, the old one closes first, as any does at the
    /// limit of all targets together. A connection that nobody has used is not replaced.
    ///
    /// # Panics
    ///
    /// Panics if `max_lifetime` is zero.
    #[must_use]
    pub fn max_lifetime(mut self, max_lifetime: Option<Duration>) -> Self {
        assert_not_zero(max_lifetime, "every connection would be too old");
        self.rules.max_lifetime = max_lifetime;
        self
    }

    /// Sets how often a connection is lent before it is closed; without limit by default (`None`).
    ///
    /// # Panics
    ///
    /// Panics if `max_uses` is 0.
    #[must_use]
    pub fn max_uses(mut self, max_uses: Option<u64>) -> Self {
        assert!(max_uses != Some(0), "a connection is there to be used");
        self.rules.max_uses = max_uses;
        self
    }

    /// Sets how many connections nobody uses are kept for each target once it has been reached; 0
    /// by default.
    ///
    /// They are kept beyond the idle timeout, and made anew as others are lent or die, within the
    /// other limits.
    ///
    /// # Panics
    ///
    /// Panics if `min_idle` is greater than the limit of connections.
    #[must_use]
    pub fn min_idle(mut self, min_idle: usize) -> Self {
        assert!(
            min_idle <= self.rules.max_connections,
            "there cannot be more idle connections than connections"
        );
        self.rules.min_idle = min_idle;
        self
    }

    /// Sets how many connections are made at once for one target; by default 1 if they are shared,
    /// and as many as there are waiters if they are exclusive.
    ///
    /// # Panics
    ///
    /// Panics if `connects_at_once` is 0.
    #[must_use]
    pub fn connects_at_once(mut self, connects_at_once: usize) -> Self {
        assert!(
            connects_at_once > 0,
            "a pool without connections is of no use"
        );
        self.rules.connects_at_once = Some(connects_at_once);
        self
    }

    /// Sets how long a target is left alone after a connect has failed, for the first time and for
    /// each further one; by default 50 ms, doubled up to 500 ms, of which a random half is left
    /// out.
    ///
    /// `backoff` is called for a first failure after a connection was of use; when its delays are
    /// over, the last one goes on, and 500 ms if there was none.
    #[must_use]
    pub fn backoff<F, I>(mut self, backoff: F) -> Self
    where
        F: Fn() -> I + Send + Sync + 'static,
        I: Iterator<Item = Duration> + Send + 'static,
    {
        self.backoff = Arc::new(move || Box::new(backoff()));
        self
    }

    /// Watches each connection by a future that ends when the connection takes no more calls, so
    /// that this is known at once; by default, it is known when the connection is asked, at the
    /// latest when it is to be lent.
    ///
    /// A connection that drains by the peer's wish takes no more calls. If the future ends then,
    /// and not with the connection only, a connection that nobody uses is closed at once, and the
    /// peer need not wait for it; who has it goes on until the last of its slots comes back. Either
    /// way it counts as [dead](crate::ClosedStats::dead).
    ///
    /// The future is dropped when the pool lets go of the connection: it may keep a handle on it.
    #[must_use]
    pub fn closed<F, Fut>(mut self, closed: F) -> Self
    where
        F: Fn(&C) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
    {
        self.closed = Some(Arc::new(move |connection| -> BoxFuture<()> {
            let closed = closed(connection);
            Box::pin(async move { drop(closed.await) })
        }));
        self
    }

    /// Has a connection prove that it is alive, if a call to it was dropped unanswered, before it
    /// is lent again; by default, it is lent if its `poll_ready` does not object.
    ///
    /// This happens in the background; others are lent meanwhile. A future that fails, or takes
    /// longer than the acquire timeout (30 s if there is none), closes the connection. Of a shared
    /// connection, an answer to somebody else is proof enough. Until the proof ends, a connection
    /// that is closed meanwhile is open, and counts as such.
    ///
    /// The future may borrow the connection. A closure has to name the type of its argument,
    /// `async` or not, as it is not inferred: `|c: &Connection|`.
    ///
    /// ```
    /// # struct Connection;
    /// # impl Connection {
    /// #     async fn ping(&self) -> Result<(), std::io::Error> { Ok(()) }
    /// # }
    /// # type PoolLayer = wt_pool::PoolLayer<(), (), Connection>;
    /// let layer = PoolLayer::new(10).validate(async |c: &Connection| c.ping().await);
    /// # let layer = PoolLayer::new(10).validate(Connection::ping);
    /// ```
    #[must_use]
    pub fn validate<F>(mut self, validate: F) -> Self
    where
        F: for<'a> Validate<'a, C> + Send + Sync + 'static,
    {
        self.validate = Some(Arc::new(move |connection: &C| -> Proof<'_> {
            let valid = validate.validate(connection);
            Box::pin(async move { valid.await.is_ok() })
        }));
        self
    }
}

impl<T, Req, C> Default for PoolLayer<T, Req, C> {
    fn default() -> Self {
        Self::new(10)
    }
}

impl<M, T, Req, Tc> Layer<M> for PoolLayer<T, Req, M::Service, Tc>
where
    M: MakeService<T, Req>,
    Tc: Clone,
{
    type Service = Pool<M, T, Req, Tc>;

    fn layer(&self, maker: M) -> Self::Service {
        let common = Common {
            rules: self.rules,
            room: self.rules.max_total.map(Room::new),
            calls: Calls {
                poll_ready: poll_ready::<M::Service, Req>,
                share: self.share.clone(),
                closed: self.closed.clone(),
                validate: self.validate.clone(),
                backoff: Arc::clone(&self.backoff),
            },
            generations: AtomicU64::new(1),
        };
        Pool::new(Owned::new(maker, common), self.completion.clone())
    }
}

impl<T, Req, C, Tc: Clone> Clone for PoolLayer<T, Req, C, Tc> {
    fn clone(&self) -> Self {
        Self {
            rules: self.rules,
            completion: self.completion.clone(),
            share: self.share.clone(),
            closed: self.closed.clone(),
            validate: self.validate.clone(),
            backoff: Arc::clone(&self.backoff),
            _of: PhantomData,
        }
    }
}

impl<T, Req, C, Tc> fmt::Debug for PoolLayer<T, Req, C, Tc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolLayer")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn poll_ready<C: Service<Req>, Req>(connection: &mut C, cx: &mut Context<'_>) -> Poll<bool> {
    connection.poll_ready(cx).map(|ready| ready.is_ok())
}

fn assert_not_zero(duration: Option<Duration>, message: &str) {
    assert!(duration != Some(Duration::ZERO), "{message}");
}
