use std::ops::{Add, AddAssign};

/// The figures of a pool: of each target, and in all.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolStats<T> {
    /// The targets that have connections, are waited for or bound to, or have failed just now.
    pub targets: Vec<(T, TargetStats)>,
    /// The sum of all targets, those that have been used in the past among them.
    pub total: TargetStats,
    /// How many connections each target may have.
    pub max_connections: usize,
}

/// The figures of one target, or of several.
///
/// The first seven say how things are now, the others count since the pool was made, or since the
/// target was used first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetStats {
    /// Connections that are open, in use or not, those that drain among them; but for those that
    /// are known to be dead.
    pub open: usize,
    /// Connections that nobody uses.
    pub idle: usize,
    /// Connections that somebody uses.
    pub in_use: usize,
    /// Slots that are lent: several of one connection, if it is shared.
    pub lent: usize,
    /// Connections that are no longer lent, and close when the last of their slots comes back.
    pub draining: usize,
    /// Connections that are being made.
    pub connecting: usize,
    /// Those who wait for a slot.
    pub waiting: usize,
    /// Connections that have been made.
    pub opened: u64,
    /// Connects that have failed.
    pub failed: u64,
    /// Connections that have been closed, by reason.
    pub closed: ClosedStats,
    /// How often a connection was lent that had been lent before.
    pub reused: u64,
    /// How often somebody has waited in vain until the acquire timeout.
    pub timeouts: u64,
}

/// Why connections have been closed, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosedStats {
    /// Unused for the idle timeout.
    pub idle: u64,
    /// At the end of their lifetime.
    pub lifetime: u64,
    /// Used as often as may be.
    pub uses: u64,
    /// Of no more use by their own account: dead, or going away by the peer's wish.
    pub dead: u64,
    /// Not validated after a call that was not answered.
    pub invalid: u64,
    /// Discarded by a borrower.
    pub discarded: u64,
    /// Not retained.
    pub removed: u64,
    /// Drained.
    pub drained: u64,
    /// Closed so that another target could have one.
    pub evicted: u64,
    /// Closed with the pool.
    pub pool_closed: u64,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Idle,
    Lifetime,
    Uses,
    Dead,
    Invalid,
    Discarded,
    Removed,
    Drained,
    Evicted,
    PoolClosed,
}

impl Reason {
    /// Says whether it is of no use any more, even to those who have it.
    pub(crate) fn is_death(self) -> bool {
        matches!(self, Self::Dead | Self::Invalid)
    }

    /// Says whether it counts, though the connection is being closed for the other one.
    pub(crate) fn outdoes(self, other: Self) -> bool {
        match self {
            Self::Dead => !other.is_death(),
            Self::Discarded => !other.is_death() && other != self,
            _ => false,
        }
    }
}

impl ClosedStats {
    /// All of them.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.idle
            + self.lifetime
            + self.uses
            + self.dead
            + self.invalid
            + self.discarded
            + self.removed
            + self.drained
            + self.evicted
            + self.pool_closed
    }

    pub(crate) fn count(&mut self, reason: Reason) {
        let counter = match reason {
            Reason::Idle => &mut self.idle,
            Reason::Lifetime => &mut self.lifetime,
            Reason::Uses => &mut self.uses,
            Reason::Dead => &mut self.dead,
            Reason::Invalid => &mut self.invalid,
            Reason::Discarded => &mut self.discarded,
            Reason::Removed => &mut self.removed,
            Reason::Drained => &mut self.drained,
            Reason::Evicted => &mut self.evicted,
            Reason::PoolClosed => &mut self.pool_closed,
        };
        *counter += 1;
    }
}

impl AddAssign for TargetStats {
    fn add_assign(&mut self, other: Self) {
        self.open += other.open;
        self.idle += other.idle;
        self.in_use += other.in_use;
        self.lent += other.lent;
        self.draining += other.draining;
        self.connecting += other.connecting;
        self.waiting += other.waiting;
        self.opened += other.opened;
        self.failed += other.failed;
        self.closed = self.closed + other.closed;
        self.reused += other.reused;
        self.timeouts += other.timeouts;
    }
}

impl Add for ClosedStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            idle: self.idle + other.idle,
            lifetime: self.lifetime + other.lifetime,
            uses: self.uses + other.uses,
            dead: self.dead + other.dead,
            invalid: self.invalid + other.invalid,
            discarded: self.discarded + other.discarded,
            removed: self.removed + other.removed,
            drained: self.drained + other.drained,
            evicted: self.evicted + other.evicted,
            pool_closed: self.pool_closed + other.pool_closed,
        }
    }
}
