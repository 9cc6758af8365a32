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
            slot.stats.refresh(slot.stats.calls.in_flight());
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
        let slots = sample(&members.slots[tier.range.clone()], COUNTED);
        let (mut sound, mut of) = (0, 0);
        for slot in slots {
            sound += usize::from(is_sound(slot, now));
            of += 1;
        }
        let share = share(sound, of).min(left);
        tier.set_share(share);
        left -= share;
        let panics = (sound as f64) < questions.panic_threshold * of as f64;
        if tier.set_panics(panics) {
            tracing::debug!(panics, sound, of, "backends fail together");
        }
    }
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
    let middle = known.len() / 2;
    let (_, median, _) = known.select_nth_unstable_by_key(middle, |(level, _)| *level);
    Some(*median)
}

/// All, or so many that are chosen by chance if there are more.
fn sample(slots: &[Slot], most: usize) -> impl Iterator<Item = &Slot> {
    let step = slots.len().div_ceil(most).max(1);
    let start = if step > 1 { fastrand::usize(..step) } else { 0 };
    slots.iter().skip(start).step_by(step)
}

/// How many backends the median is taken of.
const SAMPLE: usize = 64;
/// How many of each tier are counted: a call waits for that, now and then.
const COUNTED: usize = 1024;
/// A tier can take this times what it takes when all of it is sound.
const ROOM: f64 = 1.4;
