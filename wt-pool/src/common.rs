use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::room::Room;
use crate::rules::Rules;
use crate::shared::Shared;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Delays = Box<dyn Iterator<Item = Duration> + Send>;

/// What all targets of a pool have in common.
pub(crate) struct Common<C> {
    pub(crate) rules: Rules,
    pub(crate) room: Option<Arc<Room>>,
    pub(crate) calls: Calls<C>,
    /// The generation of the connection that is made next.
    pub(crate) generations: AtomicU64,
}

/// What the pool asks of connections, in its callers' code: none of it runs under a lock.
pub(crate) struct Calls<C> {
    /// Ready with `true`: usable; with `false`: gone.
    pub(crate) poll_ready: PollReady<C>,
    /// There if connections are shared.
    pub(crate) share: Option<MakeShared<C>>,
    pub(crate) closed: Option<Watch<C>>,
    pub(crate) validate: Option<Prove<C>>,
    pub(crate) backoff: Arc<dyn Fn() -> Delays + Send + Sync>,
}

pub(crate) type PollReady<C> = fn(&mut C, &mut Context<'_>) -> Poll<bool>;
pub(crate) type MakeShared<C> = Arc<dyn Fn(C) -> Arc<dyn Shared<C>> + Send + Sync>;
pub(crate) type Watch<C> = Arc<dyn Fn(&C) -> BoxFuture<()> + Send + Sync>;
/// Says whether the connection has proved that it is alive.
pub(crate) type Prove<C> = Arc<dyn for<'a> Fn(&'a C) -> Proof<'a> + Send + Sync>;
pub(crate) type Proof<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
