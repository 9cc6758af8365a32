use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::idleness::Idleness;
use crate::room::Permit;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::Share;

/// One connection, and what is known of it.
#[derive(Debug)]
pub(crate) struct Slot<I> {
    /// Not there while an exclusive connection is lent, or looked at.
    pub(super) item: Option<I>,
    pub(super) guards: Guards,
    pub(super) state: SlotState,
    /// A call was dropped unanswered: it is not lent until it has proved to be alive.
    pub(super) suspect: bool,
    /// It is proving that.
    pub(super) proving: bool,
    /// How many look at it, or have it prove that it is alive: so long it is open, whatever becomes
    /// of it here.
    pub(super) looks: usize,
    /// It has come back from a borrower at least once.
    pub(super) proven: bool,
    pub(super) lent: usize,
    /// How many may use it at once, as far as is known.
    pub(super) capacity: usize,
    pub(super) uses: u64,
    /// A slot came back since the last look.
    pub(super) touched: bool,
    pub(super) idleness: Idleness,
    pub(super) expires: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    Live,
    /// Lent as ever, until the connection that replaces it is there.
    Retiring,
    /// Lent no more; gone when the last slot comes back.
    Closing(Reason),
}

/// What is held for a connection as long as it is here.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// Its part of the limit on all targets together.
    _permit: Option<Permit>,
    /// Reports its death.
    _watch: Option<AbortOnDropHandle<()>>,
}

/// A connection that has left: to be dropped once no lock is held.
#[must_use = "it is to be dropped once no lock is held"]
#[derive(Debug)]
pub(crate) struct Gone<I> {
    _item: Option<I>,
    /// `None` if its end was told before.
    pub(crate) end: Option<(Key, Reason)>,
    _guards: Guards,
}

impl<I> Slot<I> {
    pub(super) fn new(item: I, capacity: usize, now: Instant, expires: Option<Instant>) -> Self {
        Self {
            item: Some(item),
            guards: Guards::default(),
            state: SlotState::Live,
            suspect: false,
            proving: false,
            looks: 0,
            proven: false,
            lent: 0,
            capacity,
            uses: 0,
            touched: false,
            idleness: Idleness::new(now),
            expires,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        !matches!(self.state, SlotState::Closing(_))
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, SlotState::Closing(reason) if reason.is_death())
    }

    /// Puts it where it was: back in its place, or with what is shared.
    #[inline]
    pub(super) fn put(&mut self, item: I)
    where
        I: Share,
    {
        match &mut self.item {
            Some(shared) => shared.keep(item),
            None => self.item = Some(item),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.is_live() && !self.suspect && self.item.is_some() && self.lent < self.capacity
    }
}

impl Guards {
    pub(crate) fn new(permit: Option<Permit>, watch: Option<AbortOnDropHandle<()>>) -> Self {
        Self {
            _permit: permit,
            _watch: watch,
        }
    }
}

impl<I> Gone<I> {
    #[cfg(test)]
    pub(super) fn item(&self) -> Option<&I> {
        self._item.as_ref()
    }

    pub(super) fn slot(key: Key, slot: Slot<I>, reason: Reason) -> Self {
        Self {
            _item: slot.item,
            end: Some((key, reason)),
            _guards: slot.guards,
        }
    }

    /// What comes back to a slot that is gone.
    pub(super) fn stale(item: I) -> Self {
        Self {
            _item: Some(item),
            end: None,
            _guards: Guards::default(),
        }
    }
}
