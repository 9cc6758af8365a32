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
        let drawn = fastrand::u64(..);
        let len = self.len();
        let start = part(drawn, len);
        // Numbered from the start, up or down: of any two, each comes first as often as the other.
        let down = drawn & 1;
        let numbers = NUMBERS[down as usize].get(FEW - start..)?.get(..len)?;
        // The lowest bits of a load are free for the number: one word is to be kept, and no branch
        // to be predicted.
        let numbered = |(slot, number): (&Slot, &i64)| slot.stats.load().0 | number;
        // Four at a time, none of which waits for another's outcome.
        let mut lanes = [i64::MAX; 4];
        let (fours, rest) = self.slots.as_chunks::<4>();
        let (four_numbers, rest_numbers) = numbers.as_chunks::<4>();
        for (slots, numbers) in fours.iter().zip(four_numbers) {
            for (lane, next) in lanes.iter_mut().zip(slots.iter().zip(numbers)) {
                *lane = numbered(next).min(*lane);
            }
        }
        let mut least = lanes[0].min(lanes[1]).min(lanes[2].min(lanes[3]));
        for next in rest.iter().zip(rest_numbers) {
            least = numbered(next).min(least);
        }
        // A number is turned round as it was, without a branch.
        let number = (least ^ (NUMBER * down as i64)) & NUMBER;
        let place = (start + number as usize) % FEW;
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

/// The number of each place by its distance from the start, which is in the middle; up, and down.
static NUMBERS: [[i64; 2 * FEW]; 2] = [numbers(0), numbers(NUMBER)];

const fn numbers(turned: i64) -> [i64; 2 * FEW] {
    let mut numbers = [0; 2 * FEW];
    let mut n = 0;
    while n < numbers.len() {
        numbers[n] = (n as i64 & NUMBER) ^ turned;
        n += 1;
    }
    numbers
}

/// What has a number in the lowest bits of a load.
pub(crate) const FEW: usize = NUMBER as usize + 1;
/// How many are drawn at once.
const TOGETHER: usize = 8;
