use std::time::Duration;

use tokio::time::Instant;

use crate::idleness::Verdict;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::core::far;
use crate::stock::slot::SlotState;
use crate::stock::{Gone, Share, Stock};

impl<I: Share, W> Stock<I, W> {
    /// Closes what has been idle for too long, at most so many at once.
    pub(crate) fn expire_idle(&mut self, now: Instant, at_most: usize) -> Vec<Gone<I>> {
        let Some(timeout) = self.rules.idle_timeout else {
            return Vec::new();
        };
        if self.rules.shared {
            self.expire_shared(timeout, now, at_most)
        } else {
            self.expire_exclusive(timeout, now, at_most)
        }
    }

    /// The one that came back first is the first.
    fn expire_exclusive(
        &mut self,
        timeout: Duration,
        now: Instant,
        at_most: usize,
    ) -> Vec<Gone<I>> {
        let mut gone = Vec::new();
        while gone.len() < at_most && self.order.len() > self.rules.min_idle {
            let Some(key) = self.order.front().copied() else {
                break;
            };
            let slot = self.slots.get_mut(key);
            let expired = slot.is_some_and(|slot| is_over(slot.idleness.last(), timeout, now));
            if !expired {
                break;
            }
            gone.extend(self.close(key, Reason::Idle));
        }
        gone
    }

    fn expire_shared(&mut self, timeout: Duration, now: Instant, at_most: usize) -> Vec<Gone<I>> {
        let mut spare = self.idle().saturating_sub(self.rules.min_idle).min(at_most);
        let mut expired = Vec::new();
        for key in &self.order {
            let Some(slot) = self.slots.get_mut(*key) else {
                continue;
            };
            if slot.lent > 0 || std::mem::take(&mut slot.touched) {
                slot.idleness.record(now);
            } else if spare > 0 && slot.idleness.look(timeout, now) == Verdict::Expired {
                spare -= 1;
                expired.push(*key);
            }
        }
        let gone = expired
            .into_iter()
            .filter_map(|key| self.close(key, Reason::Idle));
        gone.collect()
    }

    /// Lets those whose lifetime is over be replaced; those that nobody has used go at once.
    pub(crate) fn expire_lifetimes(&mut self, now: Instant) -> Vec<Gone<I>> {
        if self.next_expiry.is_none_or(|expiry| expiry > now) {
            return Vec::new();
        }
        let (mut over, mut later) = (Vec::new(), None);
        for (key, slot) in self.slots.iter() {
            match slot.expires.filter(|_| slot.state == SlotState::Live) {
                Some(end) if end <= now => over.push(key),
                Some(end) => later = Some(later.map_or(end, |later: Instant| later.min(end))),
                None => {}
            }
        }
        // All are looked at: of many that end at about the same time, not for each anew.
        let lifetime = self.rules.max_lifetime.unwrap_or_default();
        self.next_expiry = later.map(|later| later.max(far(now, lifetime / 1000)));
        let gone = over.into_iter().filter_map(|key| self.retire(key, now));
        gone.collect()
    }

    fn retire(&mut self, key: Key, now: Instant) -> Option<Gone<I>> {
        let draining = self.outside();
        let max = self.rules.max_connections;
        let full = self.live + self.spent + self.connecting >= max;
        let slot = self.slots.get_mut(key)?;
        let unused = slot.uses == 0 && self.rules.min_idle == 0;
        if unused || !self.rules.shared && full {
            return self.close(key, Reason::Lifetime);
        }
        if draining >= max {
            // Those that drain are outside of the limit, and need one of their own.
            let later = far(now, self.rules.sweep_interval);
            self.expect_expiry(Some(later));
            return None;
        }
        slot.state = SlotState::Retiring;
        self.retiring += 1;
        None
    }

    /// A connection is there that may replace another; the oldest of those that retire drains.
    pub(crate) fn replace(&mut self) -> Option<Gone<I>> {
        if self.retiring == 0 {
            return None;
        }
        let retiring = |state| state == SlotState::Retiring;
        let all = self.slots.iter().filter(|(_, slot)| retiring(slot.state));
        let oldest = all.map(|(key, _)| key).min()?;
        self.close(oldest, Reason::Lifetime)
    }

    /// Says whether it is time to ask all connections whether they are alive.
    pub(crate) fn sweep_due(&mut self, now: Instant) -> bool {
        let due = self.next_sweep <= now;
        if due {
            self.next_sweep = far(now, self.rules.sweep_interval);
        }
        due
    }

    /// Says whether it is time to ask shared connections for their capacity and use.
    pub(crate) fn look_due(&mut self, now: Instant) -> bool {
        let due = self.rules.shared && self.look_at() <= now;
        if due {
            self.next_look = far(now, self.rules.look_interval());
        }
        due
    }

    /// When there is something to be done next if nothing happens; `None` if nothing ever is.
    pub(crate) fn next_event(&self, now: Instant) -> Option<Instant> {
        let open = !self.slots.is_empty();
        let sweep = open.then_some(self.next_sweep);
        let look = (open && self.rules.shared).then(|| self.look_at());
        let expiry = self.next_expiry.filter(|_| open);
        let idle = self.next_idle(now).filter(|_| open);
        let paced = self.pace.remembered(now).filter(|_| !open);
        let all = [sweep, look, expiry, idle, paced, self.next_connect(now)];
        all.into_iter().flatten().min()
    }

    /// Nothing that comes back from now on can be idle for too long before that.
    fn next_idle(&self, now: Instant) -> Option<Instant> {
        let timeout = self.rules.idle_timeout.filter(|_| !self.rules.shared)?;
        let first = self.order.front().and_then(|key| self.slots.get(*key));
        let first = first.filter(|_| self.order.len() > self.rules.min_idle);
        first
            .map_or(now, |first| first.idleness.last())
            .checked_add(timeout)
    }

    /// While somebody waits, capacity that has grown is found soon.
    fn look_at(&self) -> Instant {
        if self.line.is_empty() {
            return self.next_look;
        }
        let interval = self.rules.look_interval();
        let looked = self.next_look.checked_sub(interval);
        let soon = looked.map(|looked| looked + interval.min(SOON));
        soon.unwrap_or(self.next_look)
    }

    /// Since when the connection has been idle that has been so for longest; it may be taken away.
    pub(crate) fn longest_idle(&self) -> Option<(Instant, Key)> {
        if !self.line.is_empty() || self.idle() <= self.rules.min_idle {
            return None;
        }
        let idle = self.order.iter().filter_map(|key| {
            let slot = self.slots.get(*key)?;
            // One that is looked at stays open for as long, and makes no room.
            let idle = slot.lent == 0 && slot.looks == 0;
            idle.then_some((slot.idleness.last(), *key))
        });
        idle.min()
    }
}

fn is_over(since: Instant, timeout: Duration, now: Instant) -> bool {
    since.checked_add(timeout).is_some_and(|end| end <= now)
}

/// How often the capacity is asked for while somebody waits.
const SOON: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;

    #[test]
    fn lifetimes_that_end_together_are_looked_at_together() {
        let now = Instant::now();
        let lifetime = Duration::from_secs(1000);
        let mut rules = Rules::new(3);
        rules.max_lifetime = Some(lifetime);
        let mut stock = Stock::<Alone, ()>::new(rules, now);
        let ends = [0, 1, 1500].map(|millis| now + lifetime + Duration::from_millis(millis));
        for (generation, end) in (1..).zip(ends) {
            stock.add(generation, Alone, 1, Some(end), now);
        }

        assert_eq!(stock.expire_lifetimes(ends[0]).len(), 1);

        assert_eq!(stock.next_expiry, Some(ends[0] + lifetime / 1000));
        assert_eq!(stock.expire_lifetimes(ends[1]).len(), 0, "not yet");
        assert_eq!(stock.expire_lifetimes(ends[0] + lifetime / 1000).len(), 1);
        assert_eq!(stock.expire_lifetimes(ends[2] + lifetime / 1000).len(), 1);
        assert_eq!(stock.next_expiry, None);
    }

    struct Alone;

    impl Share for Alone {
        fn share(&mut self) -> Option<Self> {
            None
        }

        fn keep(&mut self, _: Self) {}
    }
}
