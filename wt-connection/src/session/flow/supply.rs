use crate::lock::Lock;
use crate::proto::flow::{Exceeded, Incoming};
use crate::session::flow::spare::Spare;

/// What the peer may still send or open, counted without a lock as long as there is no need to tell
/// it anything.
#[derive(Debug)]
pub(super) struct Supply {
    state: Lock<State>,
    /// What may still be received before there is.
    spare: Spare,
    /// What was released, and is not counted yet.
    released: Spare,
}

#[derive(Debug)]
struct State {
    incoming: Incoming,
    /// What was spare when this was last looked at.
    lent: u64,
}

impl Supply {
    pub(super) fn new(incoming: Incoming) -> Self {
        let supply = Self {
            state: Lock::new(State { incoming, lent: 0 }),
            spare: Spare::default(),
            released: Spare::default(),
        };
        supply.with(|_| {});
        supply
    }

    /// Counts what has come.
    pub(super) fn receive(&self, amount: u64) -> Result<(), Exceeded> {
        if self.spare.take(amount) {
            return Ok(());
        }
        self.with(|incoming| incoming.receive(amount))
    }

    /// Lets the peer send as much anew.
    pub(super) fn release(&self, amount: u64) {
        self.released.put(amount);
    }

    /// Makes up for what will never be received.
    pub(super) fn forgive(&self, upper_bound: u64) {
        self.with(|incoming| incoming.forgive(upper_bound));
    }

    /// Says whether there is a limit to tell the peer; to be asked behind each change.
    ///
    /// As long as something is spare, there is none; whoever finds nothing spare counts what others
    /// have released until then.
    pub(super) fn is_due(&self) -> bool {
        self.spare.is_empty() && self.announce().is_some()
    }

    /// Notes that the peer would go beyond this limit.
    pub(super) fn blocked(&self, limit: u64) {
        self.with(|incoming| incoming.blocked(limit));
    }

    /// Gives the limit to tell the peer, if it is time for that.
    pub(super) fn announce(&self) -> Option<u64> {
        self.with(Incoming::announce)
    }

    /// Notes that the peer will hear of this limit.
    pub(super) fn announced(&self, limit: u64) {
        self.with(|incoming| incoming.announced(limit));
    }

    /// Changes what is counted, with nothing spare meanwhile.
    fn with<T>(&self, change: impl FnOnce(&mut Incoming) -> T) -> T {
        let mut state = self.state.lock();
        let State { incoming, lent } = &mut *state;
        let counted = incoming.receive(*lent - self.spare.drain());
        debug_assert_eq!(counted, Ok(()), "what is lent may be received");
        incoming.release(self.released.drain());
        let changed = change(incoming);
        *lent = incoming.quiet();
        self.spare.put(*lent);
        changed
    }
}
