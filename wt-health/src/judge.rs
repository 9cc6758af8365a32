use std::fmt::Debug;
use std::task::{Context, Poll};

/// Decides about one backend, whatever the keys are: what the lock-free part does not do by itself.
pub(crate) trait Judge: Send + Sync + Debug {
    /// Whether a call may be made, if the gate is not open.
    fn poll_admit(&self, id: Id, place: &mut Place, cx: &mut Context<'_>) -> Poll<()>;

    /// Somebody waits no more, or does not make the call that he might.
    fn leave(&self, id: Id, place: Place);

    /// The proving call may be made, and waits for the service below.
    fn waits(&self, id: Id, permit: u64);

    /// The proving call is made.
    fn called(&self, id: Id, permit: u64);

    /// The proving call was given up.
    fn give_back(&self, id: Id, permit: u64);

    /// So many calls of an epoch have failed in a row.
    fn failed(&self, id: Id, epoch: u32);

    /// A call of a proving epoch was answered.
    fn proved(&self, id: Id, epoch: u32, success: bool);

    /// Somebody reads the clock, and it sleeps; gives the time.
    fn wake_clock(&self) -> u64;

    /// One watch less.
    fn unwatch(&self, id: Id);

    /// Nobody has the backend any more, by this handle.
    fn release(&self, id: Id, handle: u64);
}

/// Which backend: its place, and since when it has that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) place: usize,
    pub(crate) serial: u64,
}

/// What a service has of a gate that is not open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    None,
    /// It waits, with this ticket.
    Waiting(u64),
    /// It may make the proving call; should that become another's, it waits with this ticket.
    Admitted { permit: u64, ticket: u64 },
}
