use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::{AbortHandle, Id as TaskId, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::error;

use crate::clock::TICK;
use crate::core::Core;
use crate::entry::Entry;
use crate::fleet::{Found, Start};
use crate::judge::Id;
use crate::later::later;
use crate::probe::{ProbeError, Probes};
use crate::teller;

/// Takes care of a monitor: ends ejections, judges intervals, probes, and tells what happens.
///
/// It is the monitor's one task, besides the probes that it has under way; it ends, and they with
/// it, when the last handle of the monitor is dropped.
pub(crate) struct Driver<K> {
    core: Arc<Core<K>>,
    probes: Option<Probes<K>>,
    sweep: Times,
    tick: Times,
    running: JoinSet<Result<(), ProbeError>>,
    under_way: HashMap<TaskId, UnderWay>,
}

struct UnderWay {
    id: Id,
    number: u64,
    began: Instant,
    abort: AbortHandle,
}

/// The ends of intervals.
struct Times {
    interval: Duration,
    at: Instant,
}

impl<K> Driver<K>
where
    K: Clone + Debug + Send + Sync + 'static,
{
    pub(crate) fn new(core: Arc<Core<K>>, interval: Duration, probes: Option<Probes<K>>) -> Self {
        Self {
            core,
            probes,
            sweep: Times::new(interval),
            tick: Times::new(TICK),
            running: JoinSet::new(),
            under_way: HashMap::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let now = Instant::now();
            if self.tick.is_due(now) {
                self.core.clock().tick(now);
            }
            let due = self.sweep.is_due(now);
            self.core.act(|fleet, actions| {
                fleet.tick(now, actions);
                if due {
                    fleet.sweep(now, actions);
                }
            });
            self.tell();
            self.probe(now);
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let next = self.next();
        let core = Arc::clone(&self.core);
        tokio::select! {
            () = core.changed.notified() => {}
            Some(probed) = self.running.join_next_with_id() => self.probed(probed),
            () = sleep_until(next) => {}
        }
    }

    /// When there is something to do.
    fn next(&self) -> Instant {
        let room = self.has_room();
        let due = self.core.look(|fleet| {
            let probe = fleet.probe_due().filter(|_| room);
            fleet.next_due().into_iter().chain(probe).min()
        });
        let tick = self.core.clock().is_awake().then_some(self.tick.at);
        let times = due.into_iter().chain(tick);
        times.fold(self.sweep.at, Instant::min)
    }

    fn tell(&self) {
        let turn = self.core.take_turn();
        for (number, change) in &turn.changes {
            teller::tell(&self.core.events, *number, change);
        }
        if turn.missed > 0 {
            teller::tell_missed(&self.core.events, turn.missed);
        }
        for number in turn.stopped {
            let mut under_way = self.under_way.values();
            if let Some(probe) = under_way.find(|probe| probe.number == number) {
                probe.abort.abort();
            }
        }
    }

    /// Begins the probes that are due.
    fn probe(&mut self, now: Instant) {
        while self.has_room() {
            let Some(start) = self.core.act(|fleet, _| fleet.next_probe(now)) else {
                return;
            };
            self.begin(&start, now);
        }
    }

    fn begin(&mut self, start: &Start<Arc<Entry<K>>>, began: Instant) {
        let Some(probes) = self.probes.as_ref() else {
            return;
        };
        let probe = Arc::clone(&probes.probe);
        let limit = probes.rules.timeout;
        let key = start.tag.key.clone();
        let abort = self.running.spawn(async move {
            match timeout(limit, async { probe(key).await }).await {
                Ok(result) => result.map_err(ProbeError::Failed),
                Err(_) => Err(ProbeError::TimedOut),
            }
        });
        let probe = UnderWay {
            id: start.id,
            number: start.number,
            began,
            abort,
        };
        self.under_way.insert(probe.abort.id(), probe);
    }

    fn probed(&mut self, probed: Result<(TaskId, Result<(), ProbeError>), JoinError>) {
        let (task, result) = match probed {
            Ok((task, result)) => (task, result),
            Err(error) if error.is_cancelled() => {
                self.under_way.remove(&error.id());
                return;
            }
            Err(error) => (error.id(), Err(ProbeError::Panicked)),
        };
        let Some(probe) = self.under_way.remove(&task) else {
            return;
        };
        let found = Found {
            id: probe.id,
            number: probe.number,
            began: probe.began,
            result: result.map_err(Arc::new),
        };
        let now = Instant::now();
        self.core
            .act(|fleet, actions| fleet.probed(found, now, actions));
    }

    fn has_room(&self) -> bool {
        let at_once = self.probes.as_ref().map(|probes| probes.rules.at_once);
        at_once.is_some_and(|at_once| self.running.len() < at_once)
    }
}

/// Should it end before the last handle, with its runtime or by a panic of a key's code, nobody
/// would let those back in that are out.
impl<K> Drop for Driver<K> {
    fn drop(&mut self) {
        if thread::panicking() {
            error!("the monitor's task has panicked, all backends are used");
        }
        self.core.act(|fleet, actions| fleet.halt(actions));
        // No more than that: keys may be what has panicked.
        for (number, change) in &self.core.take_turn().changes {
            teller::end_watches(*number, change);
        }
    }
}

impl Times {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            at: later(Instant::now(), interval),
        }
    }

    /// Whether an interval has ended. However many have, that is so once: those that were missed do
    /// not come as a burst.
    fn is_due(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        let next = later(self.at, self.interval);
        self.at = if next <= now {
            later(now, self.interval)
        } else {
            next
        };
        true
    }
}
