use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Nanos;
use crate::common::Common;
use crate::gauge::Gauge;
use crate::generation::Generation;
use crate::level::{Level, log2};
use crate::peak_ewma::PeakEwma;
use crate::rest::Rest;
use crate::shared_streak::SharedStreak;
use crate::streak::SEVERAL;

mod rests;

/// The figures of one backend: written by its calls, read by picks.
///
/// Two calls that end at once may lose a sample of one of them; what is counted is exact, and so is
/// the streak of failures. That it rests is told by the streak and by the cost: who changes the
/// streak changes both, and a cost that counts as long as it rests is nobody else's.
// What picks and calls touch comes first, in two lines of the cache that are no other backend's.
#[repr(C, align(64))]
pub(crate) struct Stats {
    pub(crate) calls: Gauge,
    /// What a call costs, with those under way, as of the last event: the one word that is compared
    /// while nothing else counts. Two events at once may leave that of the first; the next one, or
    /// a census, puts it right.
    load: AtomicI64,
    /// The level that counts in a pick: of the latency, and of the failures.
    cost: AtomicI64,
    log_weight: AtomicI64,
    /// Until when it is passed over if there are others.
    pub(crate) rest: Rest,
    pub(crate) generation: Generation,
    /// In the order of arrival; never used again.
    pub(crate) id: u64,
    failures: AtomicU64,
    // The second line.
    /// The level of the latency alone.
    level: AtomicI64,
    latency: AtomicU64,
    changed: AtomicU64,
    failing: AtomicU64,
    /// How often its service has been made anew without success.
    pub(crate) remade: AtomicU32,
    weight: AtomicU32,
    pub(crate) common: Arc<Common>,
    streak: SharedStreak,
    // What is left.
    /// When it failed last; 0 if it never has.
    failed_at: AtomicU64,
    /// When a call began that has succeeded, as far as was of interest.
    heard: AtomicU64,
    /// When something else than a success changed the latency last.
    judged: AtomicU64,
    /// Of the key.
    pub(crate) hash: u64,
    /// Its key, as it is called in events.
    pub(crate) name: Box<str>,
    pub(crate) priority: u8,
    /// When it came.
    pub(crate) born: Nanos,
    /// Until when it warms up; 0 if it came with the first ones.
    pub(crate) warm_at: u64,
}

/// What a backend begins with.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: u64,
    pub(crate) hash: u64,
    pub(crate) name: Box<str>,
    pub(crate) weight: u32,
    pub(crate) priority: u8,
    pub(crate) born: Nanos,
    pub(crate) warm_at: u64,
}

impl Stats {
    pub(crate) fn new(about: About, common: &Arc<Common>) -> Self {
        let nothing = || AtomicI64::new(Level::UNKNOWN.0);
        let stats = Self {
            calls: Gauge::new(),
            load: AtomicI64::new(0),
            cost: nothing(),
            rest: Rest::new(),
            level: nothing(),
            latency: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            failing: AtomicU64::new(0),
            streak: SharedStreak::new(),
            weight: AtomicU32::new(about.weight),
            log_weight: AtomicI64::new(log2(about.weight).0),
            failures: AtomicU64::new(0),
            generation: Generation::new(),
            failed_at: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            judged: AtomicU64::new(0),
            remade: AtomicU32::new(0),
            id: about.id,
            hash: about.hash,
            name: about.name,
            priority: about.priority,
            born: about.born,
            warm_at: about.warm_at,
            common: Arc::clone(common),
        };
        stats.refresh(0);
        stats
    }

    /// Says whether it may: not if it has been removed. It is to end in any case.
    #[inline]
    pub(crate) fn begin(&self, now: Nanos) -> bool {
        let (in_flight, there) = self.calls.begin();
        if self.rests_until() != 0 {
            self.begin_in_spite(now);
        }
        self.refresh(in_flight);
        there
    }

    /// Says whether it was the last one, and that is waited for.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        let (in_flight, told) = self.calls.end();
        self.refresh(in_flight);
        told
    }

    /// Puts the load right.
    #[inline]
    pub(crate) fn refresh(&self, in_flight: u32) {
        let known = self.common.known(self.cost()).roughly();
        let weighed = known.minus(self.log_weight());
        let load = weighed.plus(log2(in_flight.saturating_add(1)));
        self.load.store(load.0 & !NUMBER, Ordering::Relaxed);
    }

    pub(crate) fn succeeded(&self, took: u64, now: Nanos) {
        let mut ewma = self.ewma();
        if !self.is_in_streak() || !self.end_streak(&mut ewma, took, now) {
            ewma.success(self.common.decay, took, now);
        }
        self.store(ewma, now);
        self.rest.end_by(now.0);
        if self.remade.load(Ordering::Relaxed) != 0 {
            self.remade.store(0, Ordering::Relaxed);
        }
    }

    /// As [`succeeded`](Self::succeeded), after some time.
    #[inline]
    pub(crate) fn succeeded_untimed(&self) {
        // One that has done so before is as it was.
        let failing = self.failing.load(Ordering::Relaxed) != 0;
        let away = self.rest.until() != 0 || self.remade.load(Ordering::Relaxed) != 0;
        if failing || away {
            self.recover();
        }
    }

    #[cold]
    fn recover(&self) {
        let now = self.common.now();
        let mut ewma = self.ewma();
        ewma.sound();
        self.store(ewma, now);
        self.rest.end_by(now.0);
        self.remade.store(0, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, took: u64, hint: Option<Duration>, now: Nanos) {
        self.failed_at.store(now.0, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut ewma = self.ewma();
        let heard = self.heard(&ewma, now);
        ewma.failure(self.common.decay, now);
        let longest = self.common.longest_rest();
        let several = self.change_streak(now, |streak| {
            let before = streak.failures;
            streak.failure(longest, took, heard, now);
            before < SEVERAL && streak.failures == SEVERAL
        });
        self.store(ewma, now);
        self.rest.end();
        if let Some(hint) = hint.filter(|hint| !hint.is_zero()) {
            self.rest.ask(now.after(hint.min(LONGEST_HINT)).0);
        }
        if several {
            tracing::debug!(backend = &*self.name, "backend fails");
        }
    }

    /// Its answer says nothing of it.
    pub(crate) fn ignored(&self, began: Nanos, now: impl FnOnce() -> Nanos) {
        self.rest.end();
        if self.rests_until() != 0 {
            self.streak.change(|streak| streak.untold(began, now()));
        }
    }

    /// Dropped unanswered: a failure if it was overdue, or else never an improvement. `exact` says
    /// that it was after so long, and no sooner.
    pub(crate) fn cancelled(&self, after: u64, exact: bool, now: Nanos) {
        self.rest.end();
        if !exact {
            return;
        }
        let overdue = self.common.overdue;
        if overdue.is_some_and(|overdue| u128::from(after) >= overdue.as_nanos()) {
            return self.failed(after, None, now);
        }
        let mut ewma = self.ewma();
        self.heard(&ewma, now);
        if ewma.latency == 0.0 {
            // It has not answered yet: as slow as it was given time for, or as any.
            ewma.latency = self.common.usual().clamp(1.0, 1e18);
            ewma.changed = now.0;
        }
        if ewma.cancelled(self.common.decay, after, now) {
            self.store(ewma, now);
        }
    }

    /// It was not ready just now.
    pub(crate) fn begin_rest(&self, now: Nanos) {
        let until = now.after(REST);
        self.rest.begin(until.0);
        if self.rests_until() != 0 {
            let longest = self.common.longest_rest();
            self.change_streak(now, |streak| streak.busy(longest, until));
            self.refresh(self.calls.in_flight());
        }
    }

    pub(crate) fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
        self.log_weight.store(log2(weight).0, Ordering::Relaxed);
        self.refresh(self.calls.in_flight());
    }

    #[inline]
    pub(crate) fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// The logarithm of its weight; of 1, if that is 0.
    #[inline]
    pub(crate) fn log_weight(&self) -> Level {
        Level(self.log_weight.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// When it failed last; 0 if it never has.
    pub(crate) fn failed_at(&self) -> Nanos {
        Nanos(self.failed_at.load(Ordering::Relaxed))
    }

    /// What a call costs, with those under way.
    #[inline]
    pub(crate) fn load(&self) -> Level {
        Level(self.load.load(Ordering::Relaxed))
    }

    /// The level of its latency and its failures.
    #[inline]
    pub(crate) fn cost(&self) -> Level {
        Level(self.cost.load(Ordering::Relaxed))
    }

    /// The level of its latency alone.
    #[inline]
    pub(crate) fn level(&self) -> Level {
        Level(self.level.load(Ordering::Relaxed))
    }

    /// Until when it is left alone after failures; 0 if it is not.
    #[inline]
    pub(crate) fn rests_until(&self) -> u64 {
        self.streak.until()
    }

    /// Whether a call has failed, and none has succeeded since.
    #[inline]
    pub(crate) fn is_in_streak(&self) -> bool {
        self.streak.is_on()
    }

    /// Whether the last calls have all failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.streak.get().failures >= SEVERAL
    }

    /// Not if it is to be tried again.
    pub(crate) fn is_failing(&self, now: Nanos) -> bool {
        match self.rests_until() {
            // Most do not: no arithmetic for them.
            0 if self.failing.load(Ordering::Relaxed) == 0 => false,
            0 => self.ewma().is_failing(self.common.decay, now),
            until => until > now.0,
        }
    }

    /// How much dearer its failures make it by now.
    #[inline]
    pub(crate) fn penalty(&self, now: impl FnOnce() -> Nanos) -> Level {
        match self.rests_until() {
            0 if self.failing.load(Ordering::Relaxed) == 0 => Level(0),
            0 => Level::of_log2(self.ewma().penalty_at(self.common.decay, now())),
            until if until > now().0 => self.cost(),
            _ => Level(0),
        }
    }

    /// What it takes now, as far as is known.
    pub(crate) fn latency(&self, now: Nanos) -> Option<Duration> {
        let level = self.level();
        let latency = self.common.decay.latency(level, now);
        // As a cast does: what is too much is the most.
        (level > Level::UNKNOWN).then(|| Duration::from_nanos(latency as u64))
    }

    /// Its latency when it was last changed, in nanoseconds; 0 if it is not known yet.
    pub(crate) fn raw_latency(&self) -> f64 {
        f64::from_bits(self.latency.load(Ordering::Relaxed))
    }

    fn ewma(&self) -> PeakEwma {
        PeakEwma {
            latency: self.raw_latency(),
            failing: f64::from_bits(self.failing.load(Ordering::Relaxed)),
            changed: self.changed.load(Ordering::Relaxed),
        }
    }

    fn store(&self, ewma: PeakEwma, now: Nanos) {
        let decay = self.common.decay;
        self.latency
            .store(ewma.latency.to_bits(), Ordering::Relaxed);
        self.failing
            .store(ewma.failing.to_bits(), Ordering::Relaxed);
        self.changed.store(ewma.changed, Ordering::Relaxed);
        let level = if ewma.latency > 0.0 {
            decay.level(ewma.latency, Nanos(ewma.changed))
        } else {
            Level::UNKNOWN
        };
        self.level.store(level.0, Ordering::Relaxed);
        if self.rests_until() != 0 {
            return;
        }
        let cost = match ewma.penalty() {
            0.0 => level,
            // Also of one that was very fast until it failed.
            penalty => level
                .max(decay.level(self.common.usual(), now))
                .plus(Level::of_log2(penalty)),
        };
        // The load follows when the call ends, which most often is now.
        self.cost.store(cost.0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("name", &self.name)
            .field("in_flight", &self.calls.in_flight())
            .field("ewma", &self.ewma())
            .finish_non_exhaustive()
    }
}

/// The lowest bits of a load, which nobody misses: a pick puts a number there.
pub(crate) const NUMBER: i64 = 63;
/// How long a backend is not asked again that was not ready, if there are others.
pub(crate) const REST: Duration = Duration::from_millis(100);
/// The longest hint that is followed: a mistake of the server's must not be for ever.
const LONGEST_HINT: Duration = Duration::from_secs(300);
