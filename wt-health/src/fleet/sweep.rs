use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use crate::fleet::actions::Actions;
use crate::fleet::model::Fleet;
use crate::fleet::record::{Phase, Record};
use crate::judge::Id;
use crate::tally::Counts;

impl<T: Clone> Fleet<T> {
    /// Judges the interval that ends now.
    pub(crate) fn sweep(&mut self, now: Instant, actions: &mut Actions<T>) {
        let mut swept = mem::take(&mut self.swept);
        self.count(&mut swept, now);
        self.eject_outliers(&swept, now, actions);
        for id in &swept.roused {
            self.begin_probes(*id, now, actions);
        }
        self.age(&swept.aging, now, actions);
        self.swept = swept;
        self.settle(actions);
    }

    /// Takes what was counted of each: that of those to be judged, and those who are to age.
    fn count(&mut self, swept: &mut Swept, now: Instant) {
        swept.clear();
        for (place, record) in &mut self.records {
            let counts = record.cell.tally.take();
            let called = !counts.is_empty();
            if called {
                record.used = now;
                if record.dormant {
                    swept.roused.push(record.id);
                }
            }
            record.suspect = None;
            if record.compared {
                swept.places.push(place);
                swept.counts.push(counts);
            }
            if record.aging {
                swept.aging.push(Aging { place, called });
            }
        }
    }

    fn eject_outliers(&mut self, swept: &Swept, now: Instant, actions: &mut Actions<T>) {
        let rng = &mut self.rng;
        let outlier = &self.rules.outlier;
        let outliers = outlier.outliers(&swept.counts, |below| rng.u8(..below));
        for (place, reason) in outliers {
            let Some(id) = self.id_at(swept.places[place]) else {
                continue;
            };
            if !self.accuse(id, reason, now, actions)
                && let Some(record) = self.get_mut(id)
            {
                record.suspect.get_or_insert(reason);
            }
        }
    }

    /// Lets the multipliers of those decay that are not ejected, lets in whom nobody proves,
    /// and forgets those of whom there is nothing to be remembered.
    fn age(&mut self, aging: &[Aging], now: Instant, actions: &mut Actions<T>) {
        let interval = self.rules.outlier.interval;
        let longest = self.rules.outlier.ejection(u32::MAX);
        for &Aging { place, called } in aging {
            let Some(record) = self.records.get_mut(place) else {
                continue;
            };
            if let Phase::Proving(proof) = record.phase {
                if proof.is_idle(now, interval) {
                    let id = record.id;
                    self.restore(id, actions);
                    // The interval in which it was out ends with this.
                    if let Some(record) = self.get_mut(id) {
                        record.soiled = false;
                    }
                }
            } else if record.multiplier > 0 {
                record.decay();
            } else if !called && record.is_past(now, longest) {
                actions.forgotten.push(self.records.remove(place));
            }
        }
    }

    fn id_at(&self, place: usize) -> Option<Id> {
        self.records.get(place).map(|record| record.id)
    }
}

/// What a sweep finds; kept for the next one, which is as large.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Of those to be compared, by places: two rows, since one is looked at several times.
    places: Vec<usize>,
    counts: Vec<Counts>,
    aging: Vec<Aging>,
    /// Those that are called again.
    roused: Vec<Id>,
}

impl Swept {
    fn clear(&mut self) {
        self.places.clear();
        self.counts.clear();
        self.aging.clear();
        self.roused.clear();
    }
}

/// One whose state changes as time passes.
#[derive(Debug)]
struct Aging {
    place: usize,
    called: bool,
}

impl<T> Record<T> {
    /// Takes one off again, unless it is ejected, or was in the interval that ends.
    fn decay(&mut self) {
        if matches!(self.phase, Phase::Up) && !mem::take(&mut self.soiled) {
            self.multiplier -= 1;
            self.aging = !self.compared || self.multiplier > 0;
        }
    }

    /// Whether it may be forgotten. A row of failures is remembered for as long as the longest
    /// ejection takes.
    fn is_past(&self, now: Instant, longest: Duration) -> bool {
        let innocent = matches!(self.phase, Phase::Up | Phase::Unproven);
        let in_a_row = self.cell.tally.streak(self.cell.gate().epoch());
        let over = in_a_row == 0 || now.saturating_duration_since(self.used) >= longest;
        !self.is_had() && innocent && self.force.is_none() && over
    }
}
