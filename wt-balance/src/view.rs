use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use crate::clock::Nanos;
use crate::common::Common;
use crate::members::Slot;

/// What a [`Policy`](crate::Policy) sees of the backends: those of one priority, by their places
/// from 0 to [`len`](Self::len), in the order of arrival.
///
/// Places are good for this pick only; [`id`](Self::id) outlasts it. Not all backends may be picked:
/// see [`is_usable`](Self::is_usable).
///
/// # Panics
///
/// The methods that take a place panic if it is not below [`len`](Self::len).
pub struct View<'a> {
    slots: &'a [Slot],
    version: u64,
    common: &'a Common,
    skip: Skip<'a>,
    panics: bool,
    warming: bool,
    typical: f64,
    now: Cell<Option<Nanos>>,
    /// Whether somebody was left out who might be let in.
    spared: Cell<bool>,
}

/// Who is left out of a pick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skip<'a> {
    /// Were asked already, and are not ready.
    pub(crate) tried: &'a [u64],
    /// Failed in answer to whoever asks.
    pub(crate) avoided: Option<u64>,
    /// Whether those are left out that rest.
    pub(crate) resting: bool,
}

impl<'a> View<'a> {
    pub(crate) fn new(slots: &'a [Slot], common: &'a Common, skip: Skip<'a>) -> Self {
        Self {
            slots,
            version: 0,
            common,
            skip,
            panics: false,
            warming: false,
            typical: common.typical(),
            now: Cell::new(None),
            spared: Cell::new(false),
        }
    }

    /// Of the slots, which differ in nothing from others of the same version.
    pub(crate) fn of_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// Failures are ignored.
    pub(crate) fn panicking(self, panics: bool) -> Self {
        Self { panics, ..self }
    }

    /// Somebody may be warming up.
    pub(crate) fn warming(self, warming: bool) -> Self {
        Self { warming, ..self }
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

    /// Whether this one may be picked: it is not if it is busy, has asked to be left alone, or has
    /// failed in answer to the same caller just now, while there are others.
    #[inline]
    #[must_use]
    pub fn is_usable(&self, place: usize) -> bool {
        let slot = &self.slots[place];
        if self.skip.tried.contains(&slot.id) {
            return false;
        }
        let spared = self.skip.avoided == Some(slot.id) || self.rests(slot);
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

    /// The number of a backend: in the order of arrival, kept while it is known, never used again.
    #[inline]
    #[must_use]
    pub fn id(&self, place: usize) -> u64 {
        self.slots[place].id
    }

    /// A hash of its key, the same in every process of a program.
    #[inline]
    #[must_use]
    pub fn key_hash(&self, place: usize) -> u64 {
        self.slots[place].hash
    }

    /// Its weight, 1 at least: backends without weight are not shown.
    #[inline]
    #[must_use]
    pub fn weight(&self, place: usize) -> u32 {
        self.slots[place].weight
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

    /// Whether it fails so much that any other is better; false for all while the
    /// [panic threshold](crate::BalanceLayer::panic_threshold) has it so.
    #[must_use]
    pub fn is_failing(&self, place: usize) -> bool {
        !self.panics && self.slots[place].stats.is_failing(self.now())
    }

    /// What a call to it costs, as a logarithm to the base 2 that compares within this view: its
    /// latency, made dearer by failures and while it warms up, cheaper by its weight.
    ///
    /// Always finite.
    #[inline]
    #[must_use]
    pub fn cost(&self, place: usize) -> f64 {
        let slot = &self.slots[place];
        let level = if self.panics {
            slot.stats.level()
        } else {
            slot.stats.cost()
        };
        // One that nobody has asked for long is not taken for much faster than the others.
        let known = level.map_or(self.typical, |level| level.max(self.typical - FASTEST));
        let mut cost = known - slot.log_weight;
        if self.warming {
            cost += self.cold(slot);
        }
        cost
    }

    /// What a call costs by [`cost`](Self::cost) with those under way: times their number plus one.
    #[inline]
    #[must_use]
    pub fn load(&self, place: usize) -> f64 {
        self.cost(place) + log2(self.in_flight(place).saturating_add(1))
    }

    /// How much dearer failures make it, as in [`cost`](Self::cost): 0 for one that does not fail.
    #[inline]
    #[must_use]
    pub fn penalty(&self, place: usize) -> f64 {
        if self.panics {
            return 0.0;
        }
        self.slots[place].stats.penalty(|| self.now())
    }

    /// The usable backend for which `cost` is least, among all of them up to `scan`, or else among
    /// `choices` that are drawn by chance; the first look is at one drawn by chance, which wins
    /// among equals.
    ///
    /// A cost that is no number is never the least. `None` only if no backend is usable.
    #[inline]
    pub fn least_by(
        &self,
        scan: usize,
        choices: usize,
        cost: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        let len = self.len();
        if len == 0 {
            return None;
        }
        let mut least = Least {
            view: self,
            cost,
            best: f64::INFINITY,
            place: None,
        };
        if len > scan {
            for _ in 0..choices {
                least.look(fastrand::usize(..len));
            }
            if least.place.is_some() {
                return least.place;
            }
        }
        let start = if len == 1 { 0 } else { fastrand::usize(..len) };
        (start..len).for_each(|place| least.look(place));
        (0..start).for_each(|place| least.look(place));
        // Costs that are no numbers take nobody out of service.
        least.place.or_else(|| self.usable().next())
    }

    /// The same while the same backends have the same weights.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether somebody was left out who might be let in.
    pub(crate) fn has_spared(&self) -> bool {
        self.spared.get()
    }

    fn rests(&self, slot: &Slot) -> bool {
        let until = slot.stats.resting();
        self.skip.resting && until != 0 && self.now().0 < until
    }

    /// How much dearer a backend is that has just come: up to ten times, less by and by.
    #[cold]
    fn cold(&self, slot: &Slot) -> f64 {
        let warm_at = slot.stats.warm_at;
        let left = warm_at.saturating_sub(self.now().0);
        if left == 0 {
            return 0.0;
        }
        let whole = warm_at.saturating_sub(slot.stats.born.0).max(1);
        let done = 1.0 - left as f64 / whole as f64;
        -done.max(COLDEST).log2()
    }

    /// The clock is read once in a pick, if at all.
    fn now(&self) -> Nanos {
        self.now.get().unwrap_or_else(|| {
            let now = self.common.now();
            self.now.set(Some(now));
            now
        })
    }
}

struct Least<'a, 'b, F> {
    view: &'a View<'b>,
    cost: F,
    best: f64,
    place: Option<usize>,
}

impl<F: Fn(usize) -> f64> Least<'_, '_, F> {
    #[inline]
    fn look(&mut self, place: usize) {
        let cost = (self.cost)(place);
        // Most are not better than the best so far: whether they are usable does not matter.
        if cost < self.best && self.view.is_usable(place) {
            self.best = cost;
            self.place = Some(place);
        }
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

/// The logarithm to the base 2 of a number that is not 0.
#[inline]
pub(crate) fn log2(n: u32) -> f64 {
    match LOG2.get(n as usize) {
        Some(log) => *log,
        None => f64::from(n).log2(),
    }
}

static LOG2: [f64; 256] = logs();

const fn logs() -> [f64; 256] {
    let mut logs = [0.0; 256];
    let mut n = 1;
    while n < logs.len() {
        logs[n] = const_log2(n as f64);
        n += 1;
    }
    logs
}

/// Bit by bit, as `f64::log2` is not to be had in constants.
const fn const_log2(mut x: f64) -> f64 {
    let mut log = 0.0;
    while x >= 2.0 {
        x /= 2.0;
        log += 1.0;
    }
    let mut bit = 0.5;
    while bit > 1e-15 {
        x *= x;
        if x >= 2.0 {
            x /= 2.0;
            log += bit;
        }
        bit /= 2.0;
    }
    log
}

/// A thirty-second of what is typical.
const FASTEST: f64 = 5.0;
/// The share of the others' calls that a backend gets which has just come.
const COLDEST: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        for n in 1..1000 {
            assert!((log2(n) - f64::from(n).log2()).abs() < 1e-12, "{n}");
        }
    }
}
