//! A fleet to be tried: backends are numbers, the clock is a value.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::cell::Shared;
use crate::classify::Outcome;
use crate::clock::Clock;
use crate::event::Reason;
use crate::fleet::{Actions, Change, Fleet, Found, Phase, Rules};
use crate::force::Override;
use crate::judge::{Id, Judge, Place};
use crate::probe::ProbeError;

pub(crate) struct Trial {
    pub(crate) fleet: Fleet<usize>,
    pub(crate) now: Instant,
    pub(crate) ids: Vec<Id>,
    shared: Shared,
    actions: Actions<usize>,
}

impl Trial {
    pub(crate) fn new(rules: Rules, backends: usize) -> Self {
        let now = Instant::now();
        let shared = Shared {
            // What the judge is told of is told by hand.
            consecutive: 0,
            clock: Arc::new(Clock::new(now)),
            judge: Weak::<Nobody>::new(),
        };
        let mut trial = Self {
            fleet: Fleet::new(rules, Rng::with_seed(1)),
            now,
            ids: Vec::new(),
            shared,
            actions: Actions::default(),
        };
        (0..backends).for_each(|_| trial.add());
        trial
    }

    pub(crate) fn add(&mut self) {
        let backend = self.ids.len();
        let mut id = None;
        self.fleet.add(&self.shared, self.now, |cell| {
            id = Some(cell.id);
            backend
        });
        self.ids.push(id.unwrap());
        self.hold(backend);
    }

    pub(crate) fn hold(&mut self, backend: usize) {
        self.lease(backend);
    }

    /// Holds it by a handle of its own.
    pub(crate) fn lease(&mut self, backend: usize) -> u64 {
        let id = self.ids[backend];
        let handle = self.fleet.hold(id, self.now, &mut self.actions);
        handle.expect("it is known")
    }

    pub(crate) fn end(&mut self, backend: usize, handle: u64) -> bool {
        let id = self.ids[backend];
        self.fleet.release(id, handle, &mut self.actions)
    }

    /// Nobody has it any more.
    pub(crate) fn release(&mut self, backend: usize) {
        self.fleet.retire(self.ids[backend], &mut self.actions);
    }

    pub(crate) fn watch(&mut self, backend: usize) {
        let id = self.ids[backend];
        self.fleet.watch(id, self.now, &mut self.actions);
    }

    pub(crate) fn force(&mut self, backend: usize, force: Option<Override>) {
        let id = self.ids[backend];
        self.fleet.force(id, force, self.now, &mut self.actions);
    }

    /// So many calls that are made and answered now.
    pub(crate) fn calls(&mut self, backend: usize, count: u32, outcome: Outcome) {
        for _ in 0..count {
            let epoch = self.epoch(backend);
            self.call_of(backend, epoch, outcome);
        }
    }

    /// A call that was made in an epoch, and is answered now.
    pub(crate) fn call_of(&mut self, backend: usize, epoch: u32, outcome: Outcome) {
        let id = self.ids[backend];
        let Some(record) = self.fleet.get(id) else {
            return;
        };
        let cell = Arc::clone(&record.cell);
        cell.record(epoch, outcome);
        if cell.gate().epoch() != epoch {
            return;
        }
        match record.phase {
            Phase::Proving(_) if outcome != Outcome::Ignore => {
                let success = outcome == Outcome::Success;
                self.fleet
                    .proved(id, epoch, success, self.now, &mut self.actions);
            }
            Phase::Up if outcome == Outcome::Failure => {
                let consecutive = self.fleet.rules.outlier.consecutive;
                let streak = cell.tally.streak(epoch);
                if consecutive.is_some_and(|consecutive| streak.is_multiple_of(consecutive)) {
                    self.fleet.failed(id, epoch, self.now, &mut self.actions);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn epoch(&self, backend: usize) -> u32 {
        self.fleet
            .get(self.ids[backend])
            .map_or(0, |record| record.cell.gate().epoch())
    }

    pub(crate) fn sweep(&mut self) {
        self.fleet.sweep(self.now, &mut self.actions);
    }

    /// Lets time pass, all that is due in it included but probes and sweeps.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.fleet.tick(self.now, &mut self.actions);
    }

    /// Lets the next probe of a backend be made, and end so; says after how long it was due.
    pub(crate) fn probe(&mut self, backend: usize, passes: bool) -> Duration {
        let id = self.ids[backend];
        let due = self.fleet.get(id).unwrap().due.expect("a probe is due");
        let waited = due.saturating_duration_since(self.now);
        self.pass(waited);
        let Some(start) = self.fleet.next_probe(self.now) else {
            // Nobody has asked for it for long.
            return waited;
        };
        assert_eq!(start.id, id, "another one's probe is due");
        let result = if passes {
            Ok(())
        } else {
            Err(Arc::new(ProbeError::TimedOut))
        };
        let found = Found {
            id,
            number: start.number,
            began: self.now,
            result,
        };
        self.fleet.probed(found, self.now, &mut self.actions);
        waited
    }

    pub(crate) fn probes(&mut self, backend: usize, probes: &str) {
        for probe in probes.chars() {
            self.probe(backend, probe == '+');
        }
    }

    pub(crate) fn admit(&mut self, backend: usize, place: &mut Place) -> Poll<()> {
        let context = Context::from_waker(Waker::noop());
        let waker = context.waker().clone();
        self.fleet
            .poll_admit(self.ids[backend], place, waker, self.now, &mut self.actions)
    }

    pub(crate) fn leave(&mut self, backend: usize, place: Place) {
        let id = self.ids[backend];
        self.fleet.leave(id, place, self.now, &mut self.actions);
    }

    pub(crate) fn waits(&mut self, backend: usize, permit: u64) {
        self.fleet.waits(self.ids[backend], permit);
    }

    pub(crate) fn called(&mut self, backend: usize, permit: u64) {
        self.fleet.called(self.ids[backend], permit, self.now);
    }

    pub(crate) fn is_open(&self, backend: usize) -> bool {
        let record = self.fleet.get(self.ids[backend]);
        record.is_none_or(|record| record.cell.gate().is_open())
    }

    pub(crate) fn is_ejected(&self, backend: usize) -> bool {
        let record = self.fleet.get(self.ids[backend]).unwrap();
        matches!(record.phase, Phase::Ejected(_))
    }

    pub(crate) fn is_up(&self, backend: usize) -> bool {
        let record = self.fleet.get(self.ids[backend]).unwrap();
        matches!(record.phase, Phase::Up)
    }

    /// Whether one of them is proving itself by the next call.
    pub(crate) fn is_proving(&self, backend: usize) -> bool {
        let record = self.fleet.get(self.ids[backend]).unwrap();
        matches!(record.phase, Phase::Proving(_))
    }

    pub(crate) fn multiplier(&self, backend: usize) -> u32 {
        self.fleet.get(self.ids[backend]).unwrap().multiplier
    }

    /// Those that have been ejected since this was asked last, and why.
    pub(crate) fn ejections(&mut self) -> Vec<(usize, Reason)> {
        let ejection = |change| match change {
            Change::Ejected(backend, reason, _) => Some((backend, reason)),
            _ => None,
        };
        self.changes().into_iter().filter_map(ejection).collect()
    }

    pub(crate) fn changes(&mut self) -> Vec<Change<usize>> {
        std::mem::take(&mut self.actions.changes)
    }

    pub(crate) fn woken(&mut self) -> usize {
        std::mem::take(&mut self.actions.wakers).len()
    }

    pub(crate) fn stopped(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.actions.stopped)
    }
}

#[derive(Debug)]
struct Nobody;

impl Judge for Nobody {
    fn poll_admit(&self, _: Id, _: &mut Place, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
    fn leave(&self, _: Id, _: Place) {}
    fn waits(&self, _: Id, _: u64) {}
    fn called(&self, _: Id, _: u64) {}
    fn give_back(&self, _: Id, _: u64) {}
    fn failed(&self, _: Id, _: u32) {}
    fn proved(&self, _: Id, _: u32, _: bool) {}
    fn wake_clock(&self) -> u64 {
        0
    }
    fn unwatch(&self, _: Id) {}
    fn release(&self, _: Id, _: u64) {}
}
