use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::home::Home;
use crate::room::Room;
use crate::rules::Rules;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Delays = Box<dyn Iterator<Item = Duration> + Send>;

/// What all targets of a pool have in common.
pub(crate) struct Common<C> {
    pub(crate) rules: Rules,
    pub(crate) room: Option<Arc<Room>>,
    pub(crate) calls: Calls<C>,
}

/// What the pool asks of connections, in its callers' code: none of it runs under a lock.
pub(crate) struct Calls<C> {
    /// Ready with `true`: usable; with `false`: gone.
    pub(crate) poll_ready: fn(&mut C, &mut Context<'_>) -> Poll<bool>,
    /// There if connections are shared.
    pub(crate) share: Option<MakeShared<C>>,
    pub(crate) closed: Option<Watch<C, ()>>,
    pub(crate) validate: Option<Watch<C, bool>>,
    pub(crate) backoff: Arc<dyn Fn() -> Delays + Send + Sync>,
}

pub(crate) type MakeShared<C> = Arc<dyn Fn(C, Arc<Home<C>>) -> Arc<dyn Shared<C>> + Send + Sync>;
pub(crate) type Watch<C, R> = Arc<dyn Fn(&C) -> BoxFuture<R> + Send + Sync>;

/// A connection with many borrowers.
pub(crate) trait Shared<C>: Send + Sync {
    fn connection(&self) -> &C;
    /// One handle more, and how many there may be now.
    fn lend(&self) -> (C, usize);
    /// How many may use it at once, now.
    fn capacity(&self) -> usize;
    /// Where it is at home. The home has it in stock, and lets go of it when it closes.
    fn home(&self) -> &Arc<Home<C>>;
}

/// A connection in stock.
pub(crate) enum Item<C> {
    Exclusive(C),
    Shared(Arc<dyn Shared<C>>),
}

impl<C> Item<C> {
    pub(crate) fn connection(&self) -> &C {
        match self {
            Self::Exclusive(connection) => connection,
            Self::Shared(shared) => shared.connection(),
        }
    }

    /// How many may use it at once, now.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Exclusive(_) => 1,
            Self::Shared(shared) => shared.capacity(),
        }
    }
}

impl<C> crate::stock::Share for Item<C> {
    fn share(&self) -> Option<Self> {
        match self {
            Self::Exclusive(_) => None,
            Self::Shared(shared) => Some(Self::Shared(Arc::clone(shared))),
        }
    }
}

impl<C> Clone for Calls<C> {
    fn clone(&self) -> Self {
        Self {
            poll_ready: self.poll_ready,
            share: self.share.clone(),
            closed: self.closed.clone(),
            validate: self.validate.clone(),
            backoff: Arc::clone(&self.backoff),
        }
    }
}

impl<C> fmt::Debug for Item<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Item")
    }
}
