use tokio::time::Instant;

use crate::fleet::actions::Actions;
use crate::fleet::model::Fleet;
use crate::fleet::record::{Phase, Record};
use crate::judge::Id;
use crate::tally::Counts;

impl<T: Clone> Fleet<T> {
    /// Judges the interval that ends now.
    pub(crate) fn sweep(&mut self, now: Instant, actions: &mut Actions<T>) {
        let (counted, aging) = self.count(now);
        self.eject_outliers(&counted, now, actions);
        self.age(aging, now, actions);
        self.settle(actions);
    }

    /// Takes what was counted of each: that of those to be judged, and those who are to age.
    fn count(&mut self, now: Instant) -> (Counted, Vec<Aging>) {
        let mut counted = Counted::default();
        let mut aging = Vec::new();
        for (place, record) in &mut self.records {
            let counts = record.take_counts();
            record.suspect = None;
            if !counts.is_empty() {
                record.used = now;
            }
            // A backend that nobody has is neither judged nor compared with.
            let up = matches!(record.phase, Phase::Up);
            if record.is_had() && up {
                counted.places.push(place);
                counted.counts.push(counts);
            }
            if !record.is_had() || !up || record.multiplier > 0 {
                let called = !counts.is_empty();
                aging.push(Aging { place, called });
            }
        }
        (counted, aging)
    }

    fn eject_outliers(&mut self, counted: &Counted, now: Instant, actions: &mut Actions<T>) {
        let rng = &mut self.rng;
        let outlier = &self.rules.outlier;
        let outliers = outlier.outliers(&counted.counts, |below| rng.u8(..below));
        for (place, reason) in outliers {
            let Some(id) = self.id_at(counted.places[place]) else {
                continue;
            };
            if !self.accuse(id, reason, now, actions)
                && let Some(record) = self.get_mut(id)
            {
                record.suspect.get_or_insert(reason);
            }
        }
    }

    /// Lets the multipliers of those decay that are not ejected, lets in whom nobody asks to prove,
    /// and forgets those of whom there is nothing to be remembered.
    fn age(&mut self, aging: Vec<Aging>, now: Instant, actions: &mut Actions<T>) {
        let interval = self.rules.outlier.interval;
        for Aging { place, called } in aging {
            let Some(record) = self.records.get_mut(place) else {
                continue;
            };
            match record.phase {
                Phase::Up if record.multiplier > 0 => record.multiplier -= 1,
                Phase::Proving(proof)
                    if !proof.was_asked()
                        && now.saturating_duration_since(proof.since) >= interval =>
                {
                    let id = record.id;
                    self.restore(id, actions);
                }
                _ if !called && record.is_past() => {
                    actions.forgotten.push(self.records.remove(place).tag);
                }
                _ => {}
            }
        }
    }

    fn id_at(&self, place: usize) -> Option<Id> {
        self.records.get(place).map(|record| record.id)
    }
}

/// What was counted, by places: two rows, since one of them is looked at several times.
#[derive(Debug, Default)]
struct Counted {
    places: Vec<usize>,
    counts: Vec<Counts>,
}

/// One whose state changes as time passes.
struct Aging {
    place: usize,
    called: bool,
}

impl<T> Record<T> {
    /// Whether it may be forgotten.
    fn is_past(&self) -> bool {
        let innocent = matches!(self.phase, Phase::Up | Phase::Unproven);
        !self.is_had() && innocent && self.force.is_none()
    }
}
