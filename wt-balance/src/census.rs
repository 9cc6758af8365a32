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
    if let Some(typical) = typical {
        common.set_typical(typical);
        for slot in sample(&members.slots) {
            slot.stats.refresh(slot.stats.calls.in_flight());
        }
    }
    let warm_until = members.warm_until.load(Ordering::Relaxed);
    if warm_until != 0 && warm_until <= now.0 {
        members.warm_until.store(0, Ordering::Relaxed);
    }
    if members.tiers.len() > 1 || questions.panic_threshold > 0.0 {
        count(members, questions, now);
    }
    typical.is_some()
}

/// Counts who is sound, and has each tier know what follows.
fn count<K, S>(members: &Members<K, S>, questions: Questions, now: Nanos) {
    let mut left = ALL;
    for tier in &members.tiers {
        let slots = &members.slots[tier.range.clone()];
        let sound = slots.iter().filter(|slot| is_sound(slot, now)).count();
        let share = share(sound, slots.len()).min(left);
        tier.set_share(share);
        left -= share;
        let panics = (sound as f64) < questions.panic_threshold * slots.len() as f64;
        if tier.set_panics(panics) {
            tracing::debug!(panics, sound, of = slots.len(), "backends fail together");
        }
    }
    if left > 0
        && let Some(first) = members.tiers.first()
    {
        // Nobody has room for it: the first ones bear it, as they would without the others.
        first.set_share(ALL - (shares(members) - first.share()));
    }
}

fn shares<K, S>(members: &Members<K, S>) -> u32 {
    members.tiers.iter().map(|tier| tier.share()).sum()
}

/// It does not fail, and was ready when it was asked last.
fn is_sound(slot: &Slot, now: Nanos) -> bool {
    slot.stats.resting() <= now.0 && !slot.stats.is_failing(now)
}

/// How much of the calls a tier takes: all, while no more than two of seven are unsound.
fn share(sound: usize, of: usize) -> u32 {
    let share = sound as f64 / of.max(1) as f64 * ROOM;
    // No more than all.
    (share.min(1.0) * f64::from(ALL)) as u32
}

/// The median of what is known of some of them.
fn median(slots: &[Slot]) -> Option<Level> {
    let mut levels = [Level::UNKNOWN; SAMPLE];
    let mut known = 0;
    for slot in sample(slots) {
        let level = slot.stats.level();
        if level > Level::UNKNOWN {
            levels[known] = level;
            known += 1;
        }
    }
    let known = levels.get_mut(..known).filter(|known| !known.is_empty())?;
    let middle = known.len() / 2;
    let (_, median, _) = known.select_nth_unstable(middle);
    Some(*median)
}

/// All, or some that are chosen by chance if they are many.
fn sample(slots: &[Slot]) -> impl Iterator<Item = &Slot> {
    let step = slots.len().div_ceil(SAMPLE).max(1);
    let start = if step > 1 { fastrand::usize(..step) } else { 0 };
    slots.iter().skip(start).step_by(step)
}

/// How many backends the median is taken of.
const SAMPLE: usize = 64;
/// A tier can take this times what it takes when all of it is sound.
const ROOM: f64 = 1.4;
