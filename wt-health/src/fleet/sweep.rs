use tokio::time::Instant;

use crate::fleet::actions::Actions;
use crate::fleet::model::Fleet;
use crate::fleet::record::{Phase, Record};
use crate::judge::Id;
use crate::tally::Counts;

impl<T: Clone> Fleet<T> {
    /// Judges the interval that ends now.
    pub(crate) fn sweep(&mut self, now: Instant, actions: &mut Actions<T>) {
        self.count(now);
        self.eject_outliers(now, actions);
        self.age(now, actions);
        self.settle(actions);
    }

    /// Takes what was counted of each.
    fn count(&mut self, now: Instant) {
        self.counted.clear();
        for (place, record) in &mut self.records {
            let counts = record.take_counts();
            record.suspect = None;
            if !counts.is_empty() {
                record.used = now;
            }
            self.counted.push((place, counts));
        }
    }

    fn eject_outliers(&mut self, now: Instant, actions: &mut Actions<T>) {
        // A backend that nobody has is neither judged nor compared with.
        let had = self.counted.iter().filter(|(place, _)| {
            let record = self.records.get(*place);
            record.is_some_and(|record| record.is_had() && matches!(record.phase, Phase::Up))
        });
        let (places, counts): (Vec<_>, Vec<Counts>) = had.copied().unzip();
        let rng = &mut self.rng;
        let outliers = self
            .rules
            .outlier
            .outliers(&counts, |below| rng.u8(..below));
        for (place, reason) in outliers {
            let Some(id) = self.records.get(places[place]).map(|record| record.id) else {
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
    fn age(&mut self, now: Instant, actions: &mut Actions<T>) {
        let interval = self.rules.outlier.interval;
        let mut unasked: Vec<Id> = Vec::new();
        let mut past = Vec::new();
        for index in 0..self.counted.len() {
            let (place, counts) = self.counted[index];
            let Some(record) = self.records.get_mut(place) else {
                continue;
            };
            match record.phase {
                Phase::Up if record.multiplier > 0 => record.multiplier -= 1,
                Phase::Proving(proof) if !proof.was_asked() && proof.since + interval <= now => {
                    unasked.push(record.id);
                }
                _ if record.is_past(counts) => past.push(place),
                _ => {}
            }
        }
        for id in unasked {
            self.restore(id, actions);
        }
        for place in past {
            actions.forgotten.push(self.records.remove(place).tag);
        }
    }
}

impl<T> Record<T> {
    fn is_past(&self, counts: Counts) -> bool {
        let innocent = matches!(self.phase, Phase::Up | Phase::Unproven);
        !self.is_had() && innocent && self.force.is_none() && counts.is_empty()
    }
}
