//! The least of many, quickly.

use std::hint::select_unpredictable;

use crate::hash::mix;
use crate::members::Slot;
use crate::stats::NUMBER;
use crate::view::View;

impl View<'_> {
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
        let flip = if drawn & 1 == 0 { 0 } else { NUMBER };
        let (before, after) = self.slots.split_at(start);
        let (first, second) = (least_numbered(after, flip), least_numbered(before, flip));
        let comes_second = if flip == 0 {
            second & !NUMBER < first & !NUMBER
        } else {
            second & !NUMBER <= first & !NUMBER
        };
        let place = if comes_second {
            ((second & NUMBER) ^ flip) as usize
        } else {
            start + ((first & NUMBER) ^ flip) as usize
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

/// What has a number in the lowest bits of a load.
pub(crate) const FEW: usize = NUMBER as usize + 1;
/// How many are drawn at once.
const TOGETHER: usize = 8;
