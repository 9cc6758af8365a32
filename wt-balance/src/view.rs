use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Nanos;
use crate::common::Common;
use crate::level::{Level, log2};
use crate::members::Slot;

mod least;

pub(crate) use least::FEW;

/// What a [`Policy`](crate::Policy) sees of the backends: those of one priority, by their places
/// from 0 to [`len`](Self::len), in the order of arrival; none at all if there are none.
///
/// Places are good for this pick only; [`id`](Self::id) outlasts it. Not all backends may be
/// picked: see [`is_usable`](Self::is_usable).
///
/// # Panics
///
/// The methods that take a place panic if it is not below [`len`](Self::len).
pub struct View<'a> {
    slots: &'a [Slot],
    common: &'a Arc<Common>,
    skip: Skip<'a>,
    mood: Mood,
    now: Cell<Option<Nanos>>,
    /// Whether somebody was left out who might be let in.
    spared: Cell<bool>,
}

/// Who is left out of a pick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skip<'a> {
    /// Were asked already, and are not ready.
    pub(crate) tried: &'a [u64],
    /// Failed in answer to whoever asks; 0 is nobody.
    pub(crate) avoided: u64,
    /// Whether those are left out that rest.
    pub(crate) resting: bool,
}

/// What holds for all slots of a view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    /// Another one means other slots or weights.
    pub(crate) version: u64,
    /// Failures are ignored.
    pub(crate) panics: bool,
    /// Somebody may be warming up.
    pub(crate) warming: bool,
}

impl<'a> View<'a> {
    #[inline]
    pub(crate) fn new(
        slots: &'a [Slot],
        common: &'a Arc<Common>,
        skip: Skip<'a>,
        mood: Mood,
    ) -> Self {
        Self {
            slots,
            common,
            skip,
            mood,
            now: Cell::new(None),
            spared: Cell::new(false),
        }
    }

    /// How many backends there are, usable or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether this one may be picked: it is not if it is busy, has asked to be left alone,
    /// [rests](crate::BalanceLayer::rest), or has failed in answer to the same caller just now,
    /// while there are others.
    #[inline]
    #[must_use]
    pub fn is_usable(&self, place: usize) -> bool {
        self.is_usable_slot(&self.slots[place])
    }

    #[inline(always)]
    fn is_usable_slot(&self, slot: &Slot) -> bool {
        if !self.skip.tried.is_empty() && self.skip.tried.contains(&slot.stats.id) {
            return false;
        }
        let avoided = self.skip.avoided;
        let spared = (avoided != 0 && avoided == slot.stats.id) || self.rests(slot);
        if spared {
            self.spared.set(true);
        }
        !spared
    }

    /// The places of those that may be picked.
    pub fn usable(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).filter(|place| self.is_usable(*place))
    }

    /// The priority of all of them; 0 comes first.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.slots.first().map_or(0, |slot| slot.stats.priority)
    }

    /// The number of a backend: in the order of arrival, kept while it is known, and never that of
    /// another, of this balancer or any.
    #[inline]
    #[must_use]
    pub fn id(&self, place: usize) -> u64 {
        self.slots[place].stats.id
    }

    /// A hash of its key, the same in every process of a program.
    #[inline]
    #[must_use]
    pub fn key_hash(&self, place: usize) -> u64 {
        self.slots[place].stats.hash
    }

    /// Its weight, 1 at least: backends without weight are not shown.
    #[inline]
    #[must_use]
    pub fn weight(&self, place: usize) -> u32 {
        self.slots[place].stats.weight().max(1)
    }

    /// How many calls it has that are not complete.
    #[inline]
    #[must_use]
    pub fn in_flight(&self, place: usize) -> u32 {
        self.slots[place].stats.calls.in_flight()
    }

    /// The time that it takes to answer, by its peak-sensitive average as it is now; `None` until
    /// it has answered.
    #[must_use]
    pub fn latency(&self, place: usize) -> Option<Duration> {
        self.slots[place].stats.latency(self.now())
    }

    /// Whether it rests after failures, or fails so often that any other is better; false for all
    /// while the [panic threshold](crate::BalanceLayer::panic_threshold) has it so.
    #[must_use]
    pub fn is_failing(&self, place: usize) -> bool {
        !self.mood.panics && self.slots[place].stats.is_failing(self.now())
    }

    /// What a call to it costs, as a logarithm to the base 2 that compares within this view: its
    /// latency, made dearer by failures and while it warms up, cheaper by its weight.
    ///
    /// Always finite.
    #[must_use]
    pub fn cost(&self, place: usize) -> f64 {
        self.cost_of(&self.slots[place]).log2()
    }

    /// What a call costs with those under way: times their number plus one. Latencies that differ
    /// little are alike in it, unlike in [`cost`](Self::cost).
    #[must_use]
    pub fn load(&self, place: usize) -> f64 {
        self.load_of(&self.slots[place]).log2()
    }

    /// How much dearer failures make it, as in [`cost`](Self::cost): 0 for one that does not fail,
    /// or is to be tried again.
    #[must_use]
    pub fn penalty(&self, place: usize) -> f64 {
        self.penalty_of(&self.slots[place]).log2()
    }

    /// The usable backend for which `cost` is least, among all of them up to `scan`, or else among
    /// `choices` that are drawn by chance; the first look is at one drawn by chance, which wins if
    /// all are equal.
    ///
    /// A cost that is no number is never the least. `None` only if no backend is usable.
    pub fn least_by(
        &self,
        scan: usize,
        choices: usize,
        cost: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        let cost = |place, _: &Slot| cost(place);
        self.least(scan, choices, f64::INFINITY, cost)
    }

    #[inline]
    pub(crate) fn cost_of(&self, slot: &Slot) -> Level {
        self.weighed(slot, self.known(slot))
    }

    /// What a call to it takes, as far as is known, with its failures.
    #[inline]
    fn known(&self, slot: &Slot) -> Level {
        self.common.known(if self.mood.panics {
            slot.stats.level()
        } else {
            slot.stats.cost()
        })
    }

    #[inline]
    fn weighed(&self, slot: &Slot, level: Level) -> Level {
        let cost = level.minus(slot.stats.log_weight());
        if self.mood.warming {
            return cost.plus(self.cold(slot));
        }
        cost
    }

    #[inline]
    pub(crate) fn penalty_of(&self, slot: &Slot) -> Level {
        if self.mood.panics {
            return Level(0);
        }
        slot.stats.penalty(|| self.now())
    }

    #[inline]
    pub(crate) fn load_of(&self, slot: &Slot) -> Level {
        let in_flight = slot.stats.calls.in_flight();
        let cost = self.weighed(slot, self.known(slot).roughly());
        cost.plus(log2(in_flight.saturating_add(1)))
    }

    /// Whether nothing counts but the figures.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        !self.mood.panics && !self.mood.warming
    }

    /// What the backends of a set share, and no others do.
    #[inline]
    pub(crate) fn set(&self) -> &Arc<Common> {
        self.common
    }

    /// The same while the same backends have the same weights.
    pub(crate) fn version(&self) -> u64 {
        self.mood.version
    }

    /// Whether somebody was left out who might be let in.
    pub(crate) fn has_spared(&self) -> bool {
        self.spared.get()
    }

    #[inline]
    fn rests(&self, slot: &Slot) -> bool {
        let failing = if self.mood.panics {
            0
        } else {
            slot.stats.rests_until()
        };
        let until = slot.stats.rest.until().max(failing);
        until != 0 && self.skip.resting && self.now().0 < until
    }

    /// How much dearer a backend is that has just come: up to ten times, less by and by.
    #[cold]
    fn cold(&self, slot: &Slot) -> Level {
        let warm_at = slot.stats.warm_at;
        let left = warm_at.saturating_sub(self.now().0);
        if left == 0 {
            return Level(0);
        }
        let whole = warm_at.saturating_sub(slot.stats.born.0).max(1);
        let done = 1.0 - left as f64 / whole as f64;
        Level::of_log2(-done.max(COLDEST).log2())
    }

    /// The clock is read once in a pick, if at all.
    #[cold]
    fn now(&self) -> Nanos {
        self.now.get().unwrap_or_else(|| {
            let now = self.common.now();
            self.now.set(Some(now));
            now
        })
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("slots", &self.slots)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

/// The share of the others' calls that a backend gets which has just come.
const COLDEST: f64 = 0.1;
