//! What is true of all backends together: what is typical, and how many are sound.

use std::sync::atomic::Ordering;

use crate::clock::Nanos;
use crate::common::Common;
use crate::level::Level;
use crate::members::{ALL, Members, Slot};

/// What the set is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Questions {
    /// Below this share of sound backends, failures are ignored; 0 never.
    pub(crate) panic_threshold: f64,
}

/// Looks at all backends; says whether anything is known of any.
pub(crate) fn take<K, S>(
    members: &Members<K, S>,
    common: &Common,
    questions: Questions,
    now: Nanos,
) -> bool {
    let typical = median(&members.slots);
    if let Some((level, latency)) = typical {
        common.set_typical(level, latency);
        for slot in sample(&members.slots, SAMPLE) {
            slot.stats.look(now);
        }
    }
    let warm_until = members.warm_until.load(Ordering::Relaxed);
    if warm_until != 0 && warm_until <= now.0 {
        members.warm_until.store(0, Ordering::Relaxed);
    }
    count(members, questions, now);
    typical.is_some()
}

/// Counts who is sound, if that is of interest, and has each tier know what follows.
pub(crate) fn count<K, S>(members: &Members<K, S>, questions: Questions, now: Nanos) {
    if members.tiers.len() < 2 && questions.panic_threshold == 0.0 {
        return;
    }
    let mut left = ALL;
    for tier in &members.tiers {
        let (sound, of) = sound(&members.slots[tier.range.clone()], now);
        let share = share(sound, of).min(left);
        tier.set_share(share);
        left -= share;
        let panics = (sound as f64) < questions.panic_threshold * of as f64;
        if tier.set_panics(panics) {
            tracing::debug!(panics, sound, of, "backends fail together");
        }
    }
}

/// How many are sound, of how many that were looked at.
fn sound(slots: &[Slot], now: Nanos) -> (usize, usize) {
    let (mut sound, mut of) = (0, 0);
    for slot in sample(slots, COUNTED) {
        sound += usize::from(is_sound(slot, now));
        of += 1;
    }
    (sound, of)
}

/// It does not fail, and was ready when it was asked last.
fn is_sound(slot: &Slot, now: Nanos) -> bool {
    slot.stats.rest.until() <= now.0 && !slot.stats.is_failing(now)
}

/// How much of the calls a tier takes: all, while no more than two of seven are unsound.
fn share(sound: usize, of: usize) -> u32 {
    let share = sound as f64 / of.max(1) as f64 * ROOM;
    // No more than all.
    (share.min(1.0) * f64::from(ALL)) as u32
}

/// The median of what is known of some of them, and the latency as it was measured.
fn median(slots: &[Slot]) -> Option<(Level, f64)> {
    let mut levels = [(Level::UNKNOWN, 0.0); SAMPLE];
    let mut known = 0;
    for slot in sample(slots, SAMPLE) {
        let level = slot.stats.level();
        if level > Level::UNKNOWN {
            levels[known] = (level, slot.stats.raw_latency());
            known += 1;
        }
    }
    let known = levels.get_mut(..known).filter(|known| !known.is_empty())?;
    // The lower one of two: whoever is taken for the slower is not tried.
    let middle = (known.len() - 1) / 2;
    let (_, median, _) = known.select_nth_unstable_by_key(middle, |(level, _)| *level);
    Some(*median)
}

/// All, or so many at most if there are more: one of each few neighbours, by chance, as backends
/// may have come in an order that repeats itself.
fn sample(slots: &[Slot], most: usize) -> impl Iterator<Item = &Slot> {
    let few = slots.len().div_ceil(most).max(1);
    slots.chunks(few).map(|few| match few {
        [only] => only,
        _ => &few[fastrand::usize(..few.len())],
    })
}

/// How many backends the median is taken of.
const SAMPLE: usize = 64;
/// How many of each tier are counted: a call waits for that, now and then.
const COUNTED: usize = 1024;
/// A tier can take this times what it takes when all of it is sound.
const ROOM: f64 = 1.4;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::backend::Backend;
    use crate::stats::{About, Stats};

    const NOW: Nanos = Nanos(1_000_000_000);

    /// So many of the first priority, of which every fifth is sound, and one of the next.
    fn members(n: u64) -> Members<u64, ()> {
        let common = Arc::new(Common::new(Duration::from_secs(10), None, Duration::ZERO));
        let backend = |id: u64| {
            let about = About {
                id: id + 1,
                hash: id,
                name: "".into(),
                weight: 1,
                priority: u8::from(id == n),
                born: NOW,
                warm_at: 0,
            };
            let stats = Arc::new(Stats::new(about, &common));
            if !id.is_multiple_of(5) && id < n {
                stats.rest.ask(2 * NOW.0);
            }
            Arc::new(Backend::new(Arc::new(id), stats, ()))
        };
        Members::new((0..=n).map(backend).collect(), None)
    }

    #[test]
    fn of_very_many_some_are_counted() {
        for (n, at_most) in [(1024, 1024), (1025, 1024), (5000, 1024), (100_000, 1024)] {
            let members = members(n);

            let (_, of) = sound(&members.slots[..n as usize], NOW);

            assert!(of <= at_most && of > at_most / 3, "{of} of {n}");
        }
    }

    /// Every fifth was looked at where every fifth was another's: all were sound, or none.
    #[test]
    fn what_is_counted_is_typical_whatever_the_order_of_arrival() {
        let questions = Questions {
            panic_threshold: 0.5,
        };
        for n in [1000, 5000, 10_000] {
            let members = members(n);
            for _ in 0..100 {
                count(&members, questions, NOW);

                // 1.4 times a fifth.
                let share = f64::from(members.tiers[0].share()) / f64::from(ALL);
                assert!((share - 0.28).abs() < 0.1, "{share} of {n}");
                assert!(members.tiers[0].panics());
            }
        }
    }
}
