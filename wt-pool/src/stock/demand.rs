use std::time::Duration;

use tokio::time::Instant;

use crate::line::{Turn, Waiter};
use crate::stock::{Phase, Share, Stock};

impl<I: Share, W> Stock<I, W> {
    /// How many connects are to be begun now.
    pub(crate) fn demand(&self, now: Instant) -> usize {
        let at_once = self.pace.at_once(now, self.rules.connects_at_once());
        self.wanted().min(at_once.saturating_sub(self.connecting))
    }

    /// When a connect that is wanted may begin; `None` if there is none, or it need not wait.
    pub(super) fn next_connect(&self, now: Instant) -> Option<Instant> {
        let waits = self.wanted() > 0 && self.connecting == 0;
        let not_before = self.pace.not_before().filter(|_| waits);
        not_before.filter(|not_before| *not_before > now)
    }

    pub(crate) fn connect_begun(&mut self) {
        self.connecting += 1;
        self.asked = false;
    }

    /// A connect has ended well.
    pub(crate) fn connected(&mut self) {
        self.connecting -= 1;
        self.pace.succeeded();
    }

    /// A connect has ended for no fault of the target's.
    pub(crate) fn connect_abandoned(&mut self) {
        self.connecting -= 1;
    }

    /// A connect has failed: all who cannot keep waiting share the failure.
    pub(crate) fn connect_failed(&mut self, now: Instant, delay: Duration) -> Vec<Waiter<W>> {
        self.connecting -= 1;
        self.failed += 1;
        self.pace.failed(now, delay);
        self.line.take_impatient()
    }

    /// Somebody waits no more.
    ///
    /// A balancer asks by a clone that it drops if it is not ready: if that was to be forgotten, a
    /// target without connections would never have one again, as long as others are ready. A target
    /// that is let go has nobody who could ask again.
    pub(crate) fn leave(&mut self, turn: Turn) -> Option<Waiter<W>> {
        let waiter = self.line.leave(turn)?;
        let unserved = self.live + self.connecting == 0 && self.line.is_empty();
        self.asked |= waiter.patient && unserved && self.hinges > 0;
        Some(waiter)
    }

    /// Nobody takes care of it any more; returns who waited.
    pub(crate) fn abandon(&mut self) -> Vec<Waiter<W>> {
        self.kept = false;
        self.connecting = 0;
        self.line.take_all()
    }

    /// A connection that was made was of no use.
    pub(crate) fn slow_down(&mut self, now: Instant, delay: Duration) {
        self.pace.failed(now, delay);
    }

    /// Says, once, whether a connection died before it was of any use.
    pub(crate) fn take_flopped(&mut self) -> bool {
        std::mem::take(&mut self.flopped)
    }

    /// Says, once, whether a connection was of use.
    pub(crate) fn take_proven(&mut self) -> bool {
        std::mem::take(&mut self.proven)
    }

    /// Wants so many connections to be open, until it is cooled.
    pub(crate) fn warm(&mut self, connections: usize) {
        self.warm.push(connections);
    }

    pub(crate) fn cool(&mut self, connections: usize) {
        if let Some(place) = self.warm.iter().position(|other| *other == connections) {
            self.warm.swap_remove(place);
        }
    }

    pub(crate) fn warming(&self) -> usize {
        self.warm.len()
    }

    /// Says whether there is nothing to be taken care of, now or later.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let paced = self.pace.remembered(now).is_some() && self.phase == Phase::Open;
        self.is_empty() && self.warm.is_empty() && self.wanted() == 0 && !paced
    }

    /// How many connects more than those under way are wanted, and allowed by the limits.
    fn wanted(&self) -> usize {
        if self.phase != Phase::Open {
            return 0;
        }
        let max = self.rules.max_connections;
        // One that is replaced may make room for its successor only when that is there.
        let over = usize::from(self.rules.shared && self.retiring > 0);
        let pending = self.live + self.connecting;
        // Those that drain outside of the limit have one of their own.
        let drain = self.spent + self.outside().saturating_sub(max);
        let room = (max + over).saturating_sub(pending + drain);
        let warm = self.warm.iter().copied().max().unwrap_or(0).min(max);
        let used = self.live + self.missing();
        let asked = usize::from(self.asked && self.live == 0);
        let target = used.max(warm).max(asked) + self.retiring;
        target.saturating_sub(pending).min(room)
    }

    /// How many connections more would leave nobody waiting, and enough of them idle.
    fn missing(&self) -> usize {
        let waiting = if self.rules.shared {
            self.line.len().div_ceil(self.usual_capacity())
        } else {
            self.line.len()
        };
        if self.rules.min_idle == 0 || self.opened == 0 {
            return waiting;
        }
        waiting + self.rules.min_idle.saturating_sub(self.idle())
    }

    /// How many connections nobody uses.
    pub(super) fn idle(&self) -> usize {
        if !self.rules.shared {
            return self.order.len();
        }
        let idle = |key: &&_| self.slots.get(**key).is_some_and(|slot| slot.lent == 0);
        self.order.iter().filter(idle).count()
    }

    /// What the youngest connection can carry, as a guess at the next one.
    fn usual_capacity(&self) -> usize {
        let youngest = self.order.back().and_then(|key| self.slots.get(*key));
        youngest.map_or(usize::MAX, |slot| slot.capacity.max(1))
    }
}
