use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tower::load::CompleteOnResponse;
use tower::{BoxError, MakeService};
use tower_service::Service;

use crate::checked::Checked;
use crate::checkout::Checkout;
use crate::drain::emptied;
use crate::error::PoolError;
use crate::hinge::PoolService;
use crate::home::Home;
use crate::owner::Owned;
use crate::pooled::Pooled;
use crate::stats::{PoolStats, Reason, TargetStats};
use crate::stock::Phase;
use crate::warm::{WarmAll, warm};

/// Lends the connections that a maker makes; see the [crate docs](crate).
///
/// It is itself a maker, one that answers with [`Pooled`]: always ready, since all waiting is in
/// the future of the call.
///
/// # Clone
///
/// Clones are handles on the same connections. With the last of them, and of what
/// [`service`](Self::service) made of them, the pool closes as by [`close`](Self::close), and its
/// tasks end.
pub struct Pool<M, T, Req, Tc = CompleteOnResponse>
where
    M: MakeService<T, Req>,
{
    owned: Arc<Owned<M, T, Req>>,
    completion: Tc,
}

impl<M, T, Req, Tc> Pool<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
{
    pub(crate) fn new(owned: Arc<Owned<M, T, Req>>, completion: Tc) -> Self {
        Self { owned, completion }
    }

    /// Closes the pool: who waits fails with [`PoolError::Closed`], as does who comes; idle
    /// connections are closed now, lent ones when they come back.
    pub fn close(&self) {
        tracing::debug!("pool closed");
        self.owned.targets.close();
        for entry in self.owned.targets.all() {
            self.owned.targets.forget(&entry.home, false);
        }
    }

    /// Drains a target: from the call on, nobody is let in ([`PoolError::Draining`]), idle
    /// connections are closed, and lent ones close when they come back. The future ends when all
    /// have, or after `deadline`, with the number of connections that are still lent.
    ///
    /// When the target is empty, it may be used again, but for what [`service`](Self::service) made
    /// of it before.
    ///
    /// # Cancel safety
    ///
    /// The target drains whether or not the future is awaited.
    pub fn drain(
        &self,
        target: &T,
        deadline: Duration,
    ) -> impl Future<Output = usize> + Send + use<M, T, Req, Tc>
    where
        M: Send + Sync,
        M::Service: Send,
        T: Eq + Hash + Send + Sync,
    {
        let home = self.owned.targets.find(target);
        self.drain_homes(home.into_iter().collect(), deadline)
    }

    /// Drains all targets that there are, as [`drain`](Self::drain) does; new ones may come.
    ///
    /// After [`close`](Self::close), it waits for what is still lent.
    ///
    /// # Cancel safety
    ///
    /// The targets drain whether or not the future is awaited.
    pub fn drain_all(
        &self,
        deadline: Duration,
    ) -> impl Future<Output = usize> + Send + use<M, T, Req, Tc>
    where
        M: Send + Sync,
        M::Service: Send,
        T: Send + Sync,
    {
        let all = self.owned.targets.all();
        self.drain_homes(all.into_iter().map(|entry| entry.home).collect(), deadline)
    }

    /// Keeps those connections of which `keep` says so; the others are not lent again, and close
    /// once nobody uses them.
    ///
    /// Exclusive connections that are lent are not shown, and stay; one that is shown is lent to
    /// nobody meanwhile.
    ///
    /// # Panics
    ///
    /// Panics if `keep` does. The connection that it was shown is not lent again then, and the
    /// others stay.
    pub fn retain(&self, mut keep: impl FnMut(&T, &M::Service) -> bool) {
        for entry in self.owned.targets.all() {
            let keys = entry.home.stock.lock().keys();
            for key in keys {
                let Some(checked) = Checked::out(&entry.home, key) else {
                    continue;
                };
                if keep(&entry.target, checked.connection()) {
                    checked.put_back();
                } else {
                    checked.close(Reason::Removed);
                }
            }
        }
    }

    /// Shows every connection that may be lent, each target's together: for a table of their
    /// round-trip times, say. Shared ones that have yet to prove that they are alive are among
    /// them.
    ///
    /// Exclusive connections that are lent are not shown; one that is shown is lent to nobody
    /// meanwhile. None counts as used.
    ///
    /// # Panics
    ///
    /// Panics if `look` does. The connection that it was shown is not lent again then.
    pub fn for_each(&self, mut look: impl FnMut(&T, &M::Service)) {
        self.retain(|target, connection| {
            look(target, connection);
            true
        });
    }

    /// The figures of each target, and in all.
    ///
    /// It looks at every connection, and holds up nobody for longer than it takes to count those of
    /// one target, or to list all targets for one who looks for a target by name: 10,000 of them in
    /// about a millisecond. It is for a table, not for each call; [`stats_of`](Self::stats_of)
    /// looks at one target.
    #[must_use]
    pub fn stats(&self) -> PoolStats<T>
    where
        T: Clone,
    {
        self.owned.targets.stats()
    }

    /// The figures of one target; `None` if the pool does not know it: it has no connection, nobody
    /// waits for one or is bound to it, and no connect has failed just now.
    #[must_use]
    pub fn stats_of(&self, target: &T) -> Option<TargetStats>
    where
        T: Eq + Hash,
    {
        Some(self.owned.targets.find(target)?.stats())
    }
}

impl<M, T, Req, Tc> Pool<M, T, Req, Tc>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    T: Clone + Eq + Hash + Send + Sync + 'static,
    Req: 'static,
{
    /// Binds the pool to one target: a service at the level of requests, see [`PoolService`].
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "as tower's services take what they are called with"
    )]
    pub fn service(&self, target: T) -> PoolService<M, T, Req, Tc>
    where
        Tc: Clone,
    {
        PoolService::new(&self.owned, &target, self.completion.clone())
    }

    /// Sees to it that `connections` are open to a target, whether in use or not, and waits until
    /// they are; more than the limit are not.
    ///
    /// # Errors
    ///
    /// Fails if a connect fails while it waits, or as a checkout does; [`PoolError::QueueFull`] if
    /// as many warm the target as may wait for it. It knows no timeout of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it wants no more connections; a connect that has begun goes on.
    pub async fn warm(&self, target: T, connections: usize) -> Result<(), PoolError> {
        warm(Arc::clone(&self.owned), target, connections).await
    }

    /// Opens a connection to each of these targets, unless it has one: a stream of each target's
    /// own result, for so many at once, 10 by default ([`WarmAll::at_once`]).
    pub fn warm_all<I>(&self, targets: I) -> WarmAll<T>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        WarmAll::new(Arc::clone(&self.owned), targets)
    }

    fn checkout(&self, target: &T) -> Checkout<M::Service> {
        loop {
            if let Some(checkout) = Checkout::at(&self.owned.home(target), false) {
                return checkout;
            }
        }
    }
}

impl<M, T, Req, Tc> Pool<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
{
    fn drain_homes(
        &self,
        homes: Vec<Arc<Home<M::Service>>>,
        deadline: Duration,
    ) -> impl Future<Output = usize> + use<M, T, Req, Tc> {
        for home in &homes {
            home.shut(Phase::Draining, Reason::Drained);
            self.owned.targets.forget(home, false);
        }
        let owned = Arc::clone(&self.owned);
        async move {
            let open = emptied(homes, deadline).await;
            drop(owned);
            open
        }
    }
}

impl<M, T, Req, Tc> Service<T> for Pool<M, T, Req, Tc>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    T: Clone + Eq + Hash + Send + Sync + 'static,
    Req: 'static,
{
    type Response = Pooled<M::Service>;
    type Error = PoolError;
    type Future = Checkout<M::Service>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), PoolError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: T) -> Checkout<M::Service> {
        self.checkout(&target)
    }
}

impl<M, T, Req, Tc> Clone for Pool<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
    Tc: Clone,
{
    fn clone(&self) -> Self {
        Self {
            owned: Arc::clone(&self.owned),
            completion: self.completion.clone(),
        }
    }
}

impl<M, T, Req, Tc> fmt::Debug for Pool<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
