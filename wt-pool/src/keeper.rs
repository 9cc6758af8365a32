use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tower::BoxError;

use crate::backoff::LONGEST;
use crate::caught::caught;
use crate::checked::Checked;
use crate::common::{BoxFuture, Calls, Delays};
use crate::error::PoolError;
use crate::home::{Home, bury, fail};
use crate::lease::{Item, Lease};
use crate::room::Permit;
use crate::stats::Reason;
use crate::stock::{Guards, Phase};
use crate::targets::Targets;
use crate::tidy::tidy;

/// Takes care of one target: makes its connections, asks them whether they live, closes those that
/// have had their time, and forgets the target when it is empty.
///
/// It is a task, spawned when somebody first waits; it ends with what it takes care of, or with the
/// pool.
pub(crate) struct Keeper<T, C, F> {
    targets: Arc<Targets<T, C>>,
    home: Arc<Home<C>>,
    connect: F,
    connects: JoinSet<Result<Made<C>, BoxError>>,
    validations: JoinSet<()>,
    delays: Option<Delays>,
    last_delay: Duration,
    ended: bool,
}

/// A connection that was made, and what is asked of it at first.
struct Made<C> {
    item: Item<C>,
    capacity: usize,
    closed: Option<BoxFuture<()>>,
    permit: Option<Permit>,
}

impl<T, C, F, Fut, E> Keeper<T, C, F>
where
    C: Send + 'static,
    F: Fn() -> Fut,
    Fut: Future<Output = Result<C, E>> + Send + 'static,
    E: Into<BoxError>,
{
    pub(crate) fn new(targets: Arc<Targets<T, C>>, home: Arc<Home<C>>, connect: F) -> Self {
        Self {
            targets,
            home,
            connect,
            connects: JoinSet::new(),
            validations: JoinSet::new(),
            delays: None,
            last_delay: LONGEST,
            ended: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let home = Arc::clone(&self.home);
        loop {
            self.slow_down();
            tidy(&home).await;
            self.validate();
            self.begin_connects();
            if self.targets.forget(&home, true) {
                self.ended = true;
                return;
            }
            let now = Instant::now();
            let next = home.stock.lock().next_event(now);
            tokio::select! {
                () = home.rouse.notified() => {}
                Some(made) = self.connects.join_next() => self.made(made),
                Some(_) = self.validations.join_next() => {}
                () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            }
        }
    }

    fn begin_connects(&mut self) {
        let (wanted, waiting) = {
            let stock = self.home.stock.lock();
            if stock.phase != Phase::Open {
                self.connects.abort_all();
                self.validations.abort_all();
            }
            (stock.demand(Instant::now()), !stock.line.is_empty())
        };
        if let Some(room) = self.home.common.room.as_ref().filter(|_| wanted == 0) {
            room.leave(&self.home.rouse);
        }
        for _ in 0..wanted {
            let room = self.home.common.room.as_ref();
            let permit = room.map(|room| room.take(&self.home.rouse));
            if matches!(permit, Some(None)) {
                // If there is room, it is another's turn.
                if room.is_some_and(|room| room.is_full()) {
                    self.make_room(waiting);
                }
                return;
            }
            self.begin_connect(permit.flatten());
        }
    }

    /// What is closed here tells the first who waits for room, which may be this target.
    fn make_room(&self, waiting: bool) {
        if waiting {
            self.targets.evict();
        } else {
            bury(self.home.change(|stock| stock.replace()));
        }
    }

    fn begin_connect(&mut self, permit: Option<Permit>) {
        let connect = (self.connect)();
        let common = Arc::clone(&self.home.common);
        self.home.stock.lock().connect_begun();
        self.connects.spawn(async move {
            let connection = connect.await.map_err(Into::into)?;
            Ok(Made::new(connection, &common.calls, permit))
        });
    }

    fn made(&mut self, made: Result<Result<Made<C>, BoxError>, JoinError>) {
        match made {
            Ok(Ok(made)) => self.add(made),
            Ok(Err(error)) => self.failed(error.into()),
            Err(ended) if ended.is_cancelled() => self.home.stock.lock().connect_abandoned(),
            Err(panicked) => self.failed(Arc::new(panicked)),
        }
        self.home.changed.notify_waiters();
    }

    fn add(&self, made: Made<C>) {
        let Made {
            item,
            capacity,
            closed,
            permit,
        } = made;
        let now = Instant::now();
        let expires = self.home.common.rules.end_of_life(now, fastrand::f64());
        let generation = self.home.common.generations.fetch_add(1, Ordering::Relaxed);
        let added = self.home.change(|stock| {
            stock.connected();
            if stock.phase != Phase::Open {
                return Err(item);
            }
            let key = stock.add(generation, item, capacity, expires, now);
            Ok((key, stock.replace()))
        });
        let (key, replaced) = match added {
            Ok(added) => added,
            Err(late) => {
                caught(|| drop(late));
                return;
            }
        };
        tracing::debug!(generation = key.generation, "connection opened");
        let recovered = self.home.last_failure.lock().take();
        drop(recovered);
        bury(replaced);
        let home = Arc::downgrade(&self.home);
        let watch = closed.map(|closed| {
            AbortOnDropHandle::new(tokio::spawn(async move {
                closed.await;
                if let Some(home) = home.upgrade() {
                    home.close(key, Reason::Dead);
                }
            }))
        });
        // It may be gone already, and these with it.
        let guards = Guards::new(permit, watch);
        let unneeded = self.home.stock.lock().guard(key, guards);
        drop(unneeded);
        // Who it was made for may have been served by another.
        self.home.offer_room();
    }

    fn failed(&mut self, error: Arc<dyn Error + Send + Sync>) {
        let delay = self.next_delay();
        tracing::debug!(error = &*error as &dyn Error, ?delay, "connect failed");
        let error = PoolError::Connect(error);
        let last = self.home.last_failure.lock().replace(error.clone());
        drop(last);
        let waiters = self.home.stock.lock().connect_failed(Instant::now(), delay);
        fail(waiters, &error);
    }

    /// A target whose connections die at once is no better than one that refuses them.
    fn slow_down(&mut self) {
        let flopped = self.home.stock.lock().take_flopped();
        if flopped {
            let delay = self.next_delay();
            tracing::debug!(?delay, "connection was of no use");
            self.home.stock.lock().slow_down(Instant::now(), delay);
        }
    }

    /// Begins anew once a connection has been of use.
    fn next_delay(&mut self) -> Duration {
        let proven = self.home.stock.lock().take_proven();
        let backoff = &self.home.common.calls.backoff;
        if proven {
            self.delays = None;
        }
        let delays = &mut self.delays;
        let next = caught(|| delays.get_or_insert_with(|| backoff()).next());
        self.last_delay = next.flatten().unwrap_or(self.last_delay);
        self.last_delay
    }

    fn validate(&mut self) {
        let Some(validate) = &self.home.common.calls.validate else {
            return;
        };
        let suspects = self.home.stock.lock().take_suspects();
        for (key, item) in suspects {
            let checked = Checked::new(&self.home, key, item);
            let validate = Arc::clone(validate);
            let limit = self.home.common.rules.acquire_timeout.unwrap_or(VALIDATION);
            self.validations.spawn(async move {
                let proved = timeout(limit, validate(checked.connection())).await;
                if let Ok(true) = proved {
                    checked.validated();
                } else {
                    checked.close(Reason::Invalid);
                }
            });
        }
    }
}

impl<C> Made<C> {
    /// Somebody's code, which runs in the task of the connect.
    fn new(connection: C, calls: &Calls<C>, permit: Option<Permit>) -> Self {
        let closed = calls.closed.as_ref().map(|closed| closed(&connection));
        let item = match &calls.share {
            Some(share) => Lease::shared(share(connection), calls.poll_ready),
            None => Lease::exclusive(connection, calls.poll_ready),
        };
        Self {
            capacity: item.capacity(),
            item,
            closed,
            permit,
        }
    }
}

impl<T, C, F> Drop for Keeper<T, C, F> {
    fn drop(&mut self) {
        if !self.ended {
            // The pool is gone: nobody waits in vain.
            let waiters = self.home.stock.lock().abandon();
            fail(waiters, &PoolError::Closed);
            self.home.changed.notify_waiters();
            self.targets.forget(&self.home, false);
        }
        if let Some(room) = &self.home.common.room {
            // Its turn would be nobody's; the next keeper, if there is one already, asks again.
            room.leave(&self.home.rouse);
            self.home.rouse.notify_one();
        }
    }
}

/// How long a connection may take to prove that it lives, if there is no acquire timeout.
const VALIDATION: Duration = Duration::from_secs(30);
