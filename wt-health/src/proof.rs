use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use crate::later::later;

/// The one call that proves a backend after an ejection: who may make it.
///
/// The permit is lent. Who does not make the call soon keeps it only as long as nobody else asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) since: Instant,
    holder: Option<Holder>,
    last: u64,
    /// When one of those who wait is to ask again, whatever has become of the permit.
    pub(crate) remind: Instant,
    /// Until when somebody makes the call, or had time to.
    busy: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    permit: u64,
    lent: Instant,
    until: Instant,
    /// It waits for the service below to be ready.
    waits: bool,
}

impl Proof {
    /// `last` is the last permit that was lent, so that none is lent twice.
    pub(crate) fn new(last: u64, now: Instant) -> Self {
        Self {
            since: now,
            holder: None,
            last,
            remind: now + PATIENCE,
            busy: now,
        }
    }

    /// Lends the permit to one who asks, unless somebody else has it; `mine` is the one he has.
    pub(crate) fn ask(&mut self, mine: Option<u64>, now: Instant) -> Option<u64> {
        match self.holder {
            Some(mut holder) if mine == Some(holder.permit) => {
                if mem::take(&mut holder.waits) {
                    self.hold(holder, now + PATIENCE);
                }
                return mine;
            }
            Some(holder) if now < holder.until => return None,
            _ => {}
        }
        self.last += 1;
        let holder = Holder {
            permit: self.last,
            lent: now,
            until: now,
            waits: false,
        };
        self.hold(holder, now + PATIENCE);
        Some(self.last)
    }

    /// The service below is not ready for the call yet: so long after the permit was lent, somebody
    /// else may have it.
    pub(crate) fn waits(&mut self, permit: u64, patience: Duration) {
        if let Some(mut holder) = self.his(permit) {
            holder.waits = true;
            self.hold(holder, later(holder.lent, patience));
            // However many wait for it, one after the other.
            let enough = later(self.since, patience);
            self.busy = self.busy.max(enough.min(later(holder.lent, patience)));
        }
    }

    /// The call is made: it may take so long.
    pub(crate) fn called(&mut self, permit: u64, until: Instant) {
        if let Some(holder) = self.his(permit) {
            self.hold(holder, until);
            self.busy = self.busy.max(until);
        }
    }

    /// Says whether the permit was his who gives it back.
    pub(crate) fn give_back(&mut self, permit: u64, now: Instant) -> bool {
        let his = self.his(permit).is_some();
        if his {
            self.holder = None;
            self.remind = now + PATIENCE;
            self.busy = self.busy.min(now);
        }
        his
    }

    /// Puts off the next reminder.
    pub(crate) fn reminded(&mut self, now: Instant) {
        self.remind = now + PATIENCE;
    }

    /// Whether nobody has made the call for so long, nor waited to, whoever has the permit.
    pub(crate) fn is_idle(&self, now: Instant, interval: Duration) -> bool {
        now >= later(self.busy, interval)
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    fn his(&self, permit: u64) -> Option<Holder> {
        self.holder.filter(|holder| holder.permit == permit)
    }

    fn hold(&mut self, holder: Holder, until: Instant) {
        self.holder = Some(Holder { until, ..holder });
        self.remind = until;
    }
}

/// How long one who may make the call may take to begin it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn one_has_the_permit() {
        let now = Instant::now();
        let mut proof = Proof::new(7, now);

        assert_eq!(proof.ask(None, now), Some(8));
        assert_eq!(proof.ask(None, now), None);
        assert_eq!(proof.ask(Some(8), now), Some(8));
    }

    #[test]
    fn who_gives_it_back_lets_another_have_it() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        proof.ask(None, now);

        assert!(!proof.give_back(2, now));
        assert!(proof.give_back(1, now));

        assert_eq!(proof.ask(None, now), Some(2));
        assert!(!proof.give_back(1, now));
    }

    #[test]
    fn who_does_not_call_loses_it_to_one_who_asks() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        proof.ask(None, now);

        assert_eq!(proof.remind, now + PATIENCE);
        assert_eq!(proof.ask(None, now + PATIENCE - MOMENT), None);
        assert_eq!(proof.ask(Some(1), now + PATIENCE), Some(1));
        assert_eq!(proof.ask(None, now + PATIENCE), Some(2));
        assert_eq!(proof.ask(Some(1), now + PATIENCE), None);
    }

    #[test]
    fn who_waits_for_the_service_below_keeps_it_and_then_calls_soon() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        proof.ask(None, now);

        proof.waits(1, LONG);

        assert_eq!(proof.ask(None, now + LONG - MOMENT), None);
        let ready = now + 2 * PATIENCE;
        assert_eq!(proof.ask(Some(1), ready), Some(1));
        assert_eq!(proof.remind, ready + PATIENCE);
        assert_eq!(proof.ask(None, ready + PATIENCE - MOMENT), None);
        // Being ready again and again is no call.
        assert_eq!(proof.ask(Some(1), ready + PATIENCE - MOMENT), Some(1));
        assert_eq!(proof.ask(None, ready + PATIENCE), Some(2));
    }

    #[test]
    fn who_waits_for_too_long_loses_it() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        proof.ask(None, now);
        proof.waits(1, LONG);
        let later = now + LONG - MOMENT;
        proof.ask(Some(1), later);
        proof.waits(1, LONG);

        assert_eq!(proof.ask(None, later), None);
        assert_eq!(proof.ask(None, now + LONG), Some(2));
    }

    #[test]
    fn it_is_idle_unless_a_call_is_made_or_waits_to_be() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        let idle_at = |proof: &Proof| {
            let idle = |at: &u32| proof.is_idle(now + PATIENCE * *at, 10 * PATIENCE);
            (0..200).find(idle)
        };
        assert_eq!(idle_at(&proof), Some(10));

        // To have the permit is no call, however often it changes hands.
        for second in 0..9 {
            proof.ask(None, now + PATIENCE * second);
        }
        assert_eq!(idle_at(&proof), Some(10));
        proof.waits(9, LONG);
        assert_eq!(idle_at(&proof), Some(40));
        // Nor is it one for ever to wait for the service below.
        proof.ask(None, now + 40 * PATIENCE);
        proof.waits(10, LONG);
        assert_eq!(idle_at(&proof), Some(40));
        proof.called(10, now + 70 * PATIENCE);
        assert_eq!(idle_at(&proof), Some(80));
        proof.give_back(10, now + 45 * PATIENCE);
        assert_eq!(idle_at(&proof), Some(55));
    }

    #[test]
    fn a_call_that_is_made_has_longer() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        proof.ask(None, now);

        proof.called(1, now + LONG);

        assert_eq!(proof.ask(None, now + LONG - MOMENT), None);
        assert_eq!(proof.ask(None, now + LONG), Some(2));
        // Who has lost it has no say.
        proof.called(1, now + LONG + LONG);
        assert_eq!(proof.remind, now + LONG + PATIENCE);
    }
}
