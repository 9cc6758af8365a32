use crate::lock::Lock;
use crate::proto::flow::{Lowered, Outgoing};
use crate::session::flow::spare::Spare;

/// What this side may still send or open, taken without a lock as long as there is enough.
#[derive(Debug)]
pub(super) struct Allowance {
    /// To it, all is taken.
    outgoing: Lock<Outgoing>,
    /// What is, and nobody has.
    spare: Spare,
}

impl Allowance {
    pub(super) fn new(limit: u64) -> Self {
        let allowance = Self {
            outgoing: Lock::new(Outgoing::new(limit)),
            spare: Spare::default(),
        };
        allowance.with(|_| {});
        allowance
    }

    /// Takes up to `want`, and says how much that is.
    #[must_use = "what is not used has to be given back"]
    pub(super) fn take(&self, want: u64) -> u64 {
        if self.spare.take(want) {
            return want;
        }
        self.with(|outgoing| outgoing.reserve(want))
    }

    /// Returns what was taken and will not be used.
    pub(super) fn give_back(&self, unused: u64) {
        self.spare.put(unused);
    }

    /// Notes a limit of the peer's.
    pub(super) fn raise(&self, limit: u64) -> Result<bool, Lowered> {
        self.with(|outgoing| outgoing.raise(limit))
    }

    /// Gives the limit that holds this side up, if the peer is to be told of it.
    pub(super) fn blocked(&self) -> Option<u64> {
        self.with(Outgoing::blocked)
    }

    /// Changes what is counted, with nothing spare meanwhile.
    fn with<T>(&self, change: impl FnOnce(&mut Outgoing) -> T) -> T {
        let mut outgoing = self.outgoing.lock();
        outgoing.give_back(self.spare.drain());
        let changed = change(&mut outgoing);
        let left = outgoing.left();
        self.spare.put(outgoing.reserve(left));
        changed
    }
}
