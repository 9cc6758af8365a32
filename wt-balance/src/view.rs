use std::cell::Cell;
use std::fmt;
use std::hint::select_unpredictable;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Nanos;
use crate::common::Common;
use crate::hash::mix;
use crate::level::{Level, log2};
use crate::members::Slot;

/// What a [`Policy`](crate::Policy) sees of the backends: those of one priority, by their places
/// from 0 to [`len`](Self::len), in the order of arrival; none at all if there are none.
///
/// Places are good for this pick only; [`id`](Self::id) outlasts it. Not all backends may be picked:
/// see [`is_usable`](Self::is_usable).
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

    /// Whether this one may be picked: it is not if it is busy, has asked to be left alone, or has
    /// failed in answer to the same caller just now, while there are others.
    #[inline]
    #[must_use]
    pub fn is_usable(&self, place: usize) -> bool {
        self.is_usable_slot(&self.slots[place])
    }

    #[inline]
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

    /// Whether it fails so much that any other is better; false for all while the
    /// [panic threshold](crate::BalanceLayer::panic_threshold) has it so.
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

    /// What a call costs by [`cost`](Self::cost) with those under way: times their number plus one.
    #[must_use]
    pub fn load(&self, place: usize) -> f64 {
        self.load_of(&self.slots[place]).log2()
    }

    /// How much dearer failures make it, as in [`cost`](Self::cost): 0 for one that does not fail.
    #[must_use]
    pub fn penalty(&self, place: usize) -> f64 {
        self.penalty_of(&self.slots[place]).log2()
    }

    /// The usable backend for which `cost` is least, among all of them up to `scan`, or else among
    /// `choices` that are drawn by chance; the first look is at one drawn by chance, which wins if all
    /// are equal.
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

    /// As [`least_by`](Self::least_by), below `worst`.
    #[inline]
    pub(crate) fn least<C: PartialOrd + Copy>(
        &self,
        scan: usize,
        choices: usize,
        worst: C,
        cost: impl Fn(usize, &Slot) -> C,
    ) -> Option<usize> {
        let len = self.len();
        if len > scan {
            let place = self.least_of_some(choices, worst, &cost);
            if place.is_some() {
                return place;
            }
        }
        let start = part(fastrand::u64(..), len);
        let (first, rest) = self.slots.split_at(start);
        let least = lesser(
            least_of(rest, start, worst, &cost),
            least_of(first, 0, worst, &cost),
        );
        // Most often it is usable: that is asked of none but the best.
        if least.1 < len && self.is_usable(least.1) {
            return Some(least.1);
        }
        let all = (start..len).chain(0..start);
        let usable = self.least_usable(all, worst, &cost);
        // Costs that are no numbers take nobody out of service.
        usable.or_else(|| self.usable().next())
    }

    /// The usable backend with the least load, if nothing but the figures counts and they are at
    /// most [`FEW`]; one drawn by chance among equals.
    #[inline]
    pub(crate) fn least_loaded(&self) -> Option<usize> {
        let len = self.len();
        let drawn = fastrand::u64(..);
        let start = part(drawn, len);
        // Counted from the start, up or down: of any two, each comes first as often as the other.
        let flip = if drawn & 1 == 0 { 0 } else { MASK };
        let (before, after) = self.slots.split_at(start);
        let (first, second) = (least_numbered(after, flip), least_numbered(before, flip));
        let comes_second = if flip == 0 {
            second & !MASK < first & !MASK
        } else {
            second & !MASK <= first & !MASK
        };
        let place = if comes_second {
            ((second & MASK) ^ flip) as usize
        } else {
            start + ((first & MASK) ^ flip) as usize
        };
        (place < len && self.is_usable(place)).then_some(place)
    }

    /// Of so many that are drawn by chance.
    #[inline]
    fn least_of_some<C: PartialOrd + Copy>(
        &self,
        choices: usize,
        worst: C,
        cost: impl Fn(usize, &Slot) -> C,
    ) -> Option<usize> {
        // Drawn once, and mixed for each: the generator is the thread's, and not at hand.
        let seed = fastrand::u64(..);
        let place = |n: usize| part(mix(seed, n as u64), self.len());
        let mut least = (worst, usize::MAX);
        // Far apart in memory as they are, they are all asked for before any is looked at.
        let mut drawn = [least; TOGETHER];
        for (n, drawn) in drawn.iter_mut().enumerate().take(choices) {
            let place = place(n);
            *drawn = (cost(place, &self.slots[place]), place);
        }
        for drawn in drawn {
            least = lesser(least, drawn);
        }
        for n in TOGETHER..choices {
            let place = place(n);
            least = lesser(least, (cost(place, &self.slots[place]), place));
        }
        if least.1 < self.len() && self.is_usable(least.1) {
            return Some(least.1);
        }
        self.least_usable((0..choices).map(place), worst, cost)
    }

    fn least_usable<C: PartialOrd + Copy>(
        &self,
        places: impl Iterator<Item = usize>,
        worst: C,
        cost: impl Fn(usize, &Slot) -> C,
    ) -> Option<usize> {
        let mut least = (worst, None);
        for place in places {
            let cost = cost(place, &self.slots[place]);
            if cost < least.0 && self.is_usable(place) {
                least = (cost, Some(place));
            }
        }
        least.1
    }

    #[inline]
    pub(crate) fn cost_of(&self, slot: &Slot) -> Level {
        let level = if self.mood.panics {
            slot.stats.level()
        } else {
            slot.stats.cost()
        };
        let known = self.common.known(level);
        let cost = known.minus(slot.stats.log_weight());
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
        self.cost_of(slot).plus(log2(in_flight.saturating_add(1)))
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
        let until = slot.stats.rest.until();
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

/// A number below `len`, by the upper half of one that is drawn; without a division.
#[inline]
fn part(drawn: u64, len: usize) -> usize {
    // There are no four thousand million backends.
    (((drawn >> 32) * (len as u64 & 0xffff_ffff)) >> 32) as usize
}

/// The least load of these slots, with the place of its slot, or with its distance from the last
/// place that a number has, if that is the `flip`.
///
/// The lowest bits of a load are free for that: one word is to be kept, and no branch to be
/// predicted.
#[inline]
fn least_numbered(slots: &[Slot], flip: i64) -> i64 {
    // Four at a time, none of which waits for another's outcome.
    let mut lanes = [i64::MAX; 4];
    let (fours, rest) = slots.as_chunks::<4>();
    let mut number = 0;
    for four in fours {
        for (lane, slot) in lanes.iter_mut().zip(four) {
            *lane = (slot.stats.load().0 | (number ^ flip)).min(*lane);
        }
        number += 4;
    }
    // What all numbers of a lane have in common comes last.
    let flipped = flip & 3;
    let lane = |n: usize| {
        let number = n as i64;
        (lanes[n] & !3) | (number ^ flipped)
    };
    let mut least = lane(0).min(lane(1)).min(lane(2).min(lane(3)));
    for slot in rest {
        least = (slot.stats.load().0 | (number ^ flip)).min(least);
        number += 1;
    }
    least
}

/// The least of these slots, the first of which has this place; of several, any.
#[inline]
fn least_of<C: PartialOrd + Copy>(
    slots: &[Slot],
    place: usize,
    worst: C,
    cost: impl Fn(usize, &Slot) -> C,
) -> (C, usize) {
    // Four at a time, none of which waits for another's outcome.
    let mut lanes = [(worst, usize::MAX); 4];
    let (fours, rest) = slots.as_chunks::<4>();
    let mut place = place;
    for four in fours {
        for (lane, slot) in lanes.iter_mut().zip(four) {
            *lane = lesser(*lane, (cost(place, slot), place));
            place += 1;
        }
    }
    let mut least = lanes.into_iter().fold((worst, usize::MAX), lesser);
    for slot in rest {
        least = lesser(least, (cost(place, slot), place));
        place += 1;
    }
    least
}

/// Without a branch, which nobody could predict.
#[inline]
fn lesser<C: PartialOrd + Copy>(a: (C, usize), b: (C, usize)) -> (C, usize) {
    let less = b.0 < a.0;
    let cost = select_unpredictable(less, b.0, a.0);
    (cost, select_unpredictable(less, b.1, a.1))
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("slots", &self.slots)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

/// What fits into the lowest bits of a load: a power of two.
pub(crate) const FEW: usize = 64;
const MASK: i64 = FEW as i64 - 1;
/// How many are drawn at once.
const TOGETHER: usize = 8;
/// The share of the others' calls that a backend gets which has just come.
const COLDEST: f64 = 0.1;
