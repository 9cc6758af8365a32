use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use wt_balance::Snapshot;
use wt_connection::Target;
use wt_health::Monitor;
use wt_pool::PoolStats;
use wt_retry::RetryStats;

/// A client, and what can be looked at while it works.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stack<C, T = Target> {
    /// The client itself.
    pub client: C,
    /// What its layers know.
    pub figures: Figures<T>,
}

impl<C, T> Stack<C, T> {
    /// Puts both together.
    pub fn new(client: C, figures: Figures<T>) -> Self {
        Self { client, figures }
    }
}

/// What the layers of a client know; none of their types' parameters, most of which are closures,
/// are in its own.
pub struct Figures<T> {
    balance: Look<Snapshot<T>>,
    pool: Look<PoolStats<T>>,
    retries: Look<RetryStats>,
    round_trips: Look<HashMap<T, Duration>>,
    monitor: Monitor<T>,
}

type Look<F> = Box<dyn Fn() -> F + Send + Sync>;

impl<T: 'static> Figures<T> {
    /// What a balancer, the pool below it, the judge between them and the retries above them know.
    pub fn new(
        balance: impl Fn() -> Snapshot<T> + Send + Sync + 'static,
        monitor: Monitor<T>,
        pool: impl Fn() -> PoolStats<T> + Send + Sync + 'static,
        retries: impl Fn() -> RetryStats + Send + Sync + 'static,
    ) -> Self {
        Self {
            balance: Box::new(balance),
            pool: Box::new(pool),
            retries: Box::new(retries),
            round_trips: Box::new(HashMap::new),
            monitor,
        }
    }

    /// Also how long a packet takes to each server and back, where connections tell; by default
    /// none does.
    #[must_use]
    pub fn round_trips(
        mut self,
        look: impl Fn() -> HashMap<T, Duration> + Send + Sync + 'static,
    ) -> Self {
        self.round_trips = Box::new(look);
        self
    }

    /// What the balancer knows.
    #[must_use]
    pub fn balance(&self) -> Snapshot<T> {
        (self.balance)()
    }

    /// What the pool knows.
    #[must_use]
    pub fn pool(&self) -> PoolStats<T> {
        (self.pool)()
    }

    /// How many attempts calls have taken.
    #[must_use]
    pub fn retries(&self) -> RetryStats {
        (self.retries)()
    }

    /// How long a packet takes to a server and back, by one of its connections.
    pub(crate) fn all_round_trips(&self) -> HashMap<T, Duration> {
        (self.round_trips)()
    }

    /// The judge of all servers.
    #[must_use]
    pub fn monitor(&self) -> &Monitor<T> {
        &self.monitor
    }
}

impl<T> fmt::Debug for Figures<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}
