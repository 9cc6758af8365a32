use std::mem;
use std::time::Duration;

use tokio::time::Instant;

/// The one call that proves a backend after an ejection: who may make it.
///
/// The permit is lent. Who does not make the call soon keeps it only as long as nobody else asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) since: Instant,
    holder: Option<Holder>,
    last: u64,
    asked: bool,
    /// When those who wait are to ask again, whatever has become of the permit.
    pub(crate) remind: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    permit: u64,
    until: Instant,
}

impl Proof {
    /// `last` is the last permit that was lent, so that none is lent twice.
    pub(crate) fn new(last: u64, now: Instant) -> Self {
        Self {
            since: now,
            holder: None,
            last,
            asked: false,
            remind: now + PATIENCE,
        }
    }

    /// Lends the permit to one who asks, unless somebody else has it; `mine` is the one he has.
    pub(crate) fn ask(&mut self, mine: Option<u64>, now: Instant) -> Option<u64> {
        self.asked = true;
        match self.holder {
            Some(holder) if mine == Some(holder.permit) => return mine,
            Some(holder) if now < holder.until => return None,
            _ => {}
        }
        self.last += 1;
        self.lend(self.last, now + PATIENCE);
        Some(self.last)
    }

    /// The call is made: it may take so long.
    pub(crate) fn called(&mut self, permit: u64, until: Instant) {
        if self.holder.is_some_and(|holder| holder.permit == permit) {
            self.lend(permit, until);
        }
    }

    /// Says whether the permit was his who gives it back.
    pub(crate) fn give_back(&mut self, permit: u64, now: Instant) -> bool {
        let his = self.holder.is_some_and(|holder| holder.permit == permit);
        if his {
            self.holder = None;
            self.remind = now + PATIENCE;
        }
        his
    }

    /// Puts off the next reminder.
    pub(crate) fn reminded(&mut self, now: Instant) {
        self.remind = now + PATIENCE;
    }

    /// Whether nobody has asked since this was asked last, nor has the permit.
    pub(crate) fn is_idle(&mut self) -> bool {
        let asked = mem::take(&mut self.asked);
        !asked && self.holder.is_none()
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    fn lend(&mut self, permit: u64, until: Instant) {
        self.holder = Some(Holder { permit, until });
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
    fn it_is_idle_once_nobody_asks_or_has_it() {
        let now = Instant::now();
        let mut proof = Proof::new(0, now);
        assert!(proof.is_idle());

        proof.ask(None, now);
        let held = [proof.is_idle(), proof.is_idle()];
        proof.give_back(1, now);

        assert_eq!(held, [false, false]);
        assert!(proof.is_idle());
        proof.ask(None, now);
        proof.give_back(2, now);
        assert_eq!([proof.is_idle(), proof.is_idle()], [false, true]);
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
