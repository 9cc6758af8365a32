use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::id::ConnectionId;
use crate::moment::Moment;

/// How far a connection is.
///
/// ```text
/// Idle       ─► Connecting, Failed
/// Connecting ─► Connected, Failed
/// Connected  ─► Draining, Closing, Closed, Failed
/// Draining   ─► Closing, Closed, Failed
/// Closing    ─► Closed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Asked for, and not yet begun: nobody has polled the future.
    Idle,
    /// Resolving, shaking hands, or waiting for the peer's SETTINGS.
    Connecting,
    /// Open for new sessions.
    Connected,
    /// Nothing new begins, by the peer's wish or by this side's
    /// ([`Connection::drain`](crate::Connection::drain), much that was given up half-way, or on a
    /// client an answer to a plain request that breaks HTTP/3's rules); what is open goes on.
    Draining,
    /// This side is closing: sessions are told, what they sent is flushed.
    Closing,
    /// Over in order: this side closed it, or the peer did with `H3_NO_ERROR`.
    Closed,
    /// Over by failure: a timeout, a reset, a broken protocol, or never connected.
    Failed,
}

impl ConnectionState {
    /// Says whether nothing can follow: [`Closed`](Self::Closed) or [`Failed`](Self::Failed).
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Failed)
    }

    fn was_connected(self) -> bool {
        !matches!(self, Self::Idle | Self::Connecting)
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
        })
    }
}

/// The state that a connecting future, its connection and its driver share; it only moves on.
#[derive(Clone, Debug)]
pub(crate) struct StateCell(Arc<Cell>);

#[derive(Debug)]
struct Cell {
    id: ConnectionId,
    state: watch::Sender<ConnectionState>,
    /// What was asked for before it was connected; looked at under the lock of `state`, as the
    /// times are.
    early: Early,
    established: OnceLock<Moment>,
    over: OnceLock<Moment>,
}

#[derive(Debug, Default)]
struct Early {
    drain: AtomicBool,
    close: AtomicBool,
}

/// A state, and when those that count were reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) state: ConnectionState,
    pub(crate) established: Option<Moment>,
    pub(crate) over: Option<Moment>,
}

impl StateCell {
    pub(crate) fn idle(id: ConnectionId) -> Self {
        Self(Arc::new(Cell {
            id,
            state: watch::Sender::new(ConnectionState::Idle),
            early: Early::default(),
            established: OnceLock::new(),
            over: OnceLock::new(),
        }))
    }

    /// Moves on to `next`; what would be a step back changes nothing.
    ///
    /// What never was connected neither drains nor closes: the wish is remembered for when it is
    /// connected, and it fails once it is over.
    pub(crate) fn advance(&self, next: ConnectionState) {
        self.step(|state| {
            let next = match next {
                ConnectionState::Draining if !state.was_connected() => {
                    self.0.early.drain.store(true, Ordering::Relaxed);
                    return None;
                }
                ConnectionState::Closing if !state.was_connected() => {
                    self.0.early.close.store(true, Ordering::Relaxed);
                    return None;
                }
                ConnectionState::Closed if !state.was_connected() => ConnectionState::Failed,
                next => next,
            };
            let forward = !state.is_final() && (state as u8) < (next as u8);
            forward.then_some(next)
        });
    }

    /// Moves on to `Connected`, and to `Draining` behind it if that was asked for before; says
    /// whether it is neither over nor about to be.
    pub(crate) fn connect(&self) -> bool {
        let (mut over, mut drain) = (false, false);
        self.step(|state| {
            over = state.is_final() || self.0.early.close.load(Ordering::Relaxed);
            drain = self.0.early.drain.load(Ordering::Relaxed);
            (!over && !state.was_connected()).then_some(ConnectionState::Connected)
        });
        if drain && !over {
            self.advance(ConnectionState::Draining);
        }
        !over
    }

    /// Fails what never was connected.
    pub(crate) fn give_up(&self) {
        self.step(|state| (!state.was_connected()).then_some(ConnectionState::Failed));
    }

    pub(crate) fn get(&self) -> ConnectionState {
        *self.0.state.borrow()
    }

    /// The state and its times, all of one moment.
    pub(crate) fn progress(&self) -> Progress {
        // The times are noted under its lock.
        let state = self.0.state.borrow();
        Progress {
            state: *state,
            established: self.0.established.get().copied(),
            over: self.0.over.get().copied(),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.subscribe()
    }

    /// Waits until the state is `least`, or behind it.
    pub(crate) async fn reached(&self, least: ConnectionState) {
        // The sender lives as long as `self`.
        let _ = self
            .subscribe()
            .wait_for(|state| *state as u8 >= least as u8)
            .await;
    }

    /// Moves on to what `next` makes of the state, if anything.
    fn step(&self, next: impl FnOnce(ConnectionState) -> Option<ConnectionState>) {
        let mut changed = None;
        self.0.state.send_if_modified(|state| {
            let Some(next) = next(*state) else {
                return false;
            };
            changed = Some((*state, next));
            *state = next;
            let reached = match next {
                ConnectionState::Connected => &self.0.established,
                ConnectionState::Closed | ConnectionState::Failed => &self.0.over,
                _ => return true,
            };
            // A state is reached once.
            let _ = reached.set(Moment::now());
            true
        });
        if let Some((from, state)) = changed {
            tracing::debug!(connection = %self.0.id, %from, %state, "the state has changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_never_steps_back() {
        let cell = StateCell::idle(ConnectionId::next());

        assert!(cell.connect());
        cell.advance(ConnectionState::Draining);
        cell.advance(ConnectionState::Connected);
        assert!(cell.connect());

        assert_eq!(cell.get(), ConnectionState::Draining);
    }

    #[test]
    fn what_is_to_drain_before_it_is_connected_is_connected_first() {
        // It drained without ever having been established.
        let cell = StateCell::idle(ConnectionId::next());
        cell.advance(ConnectionState::Connecting);

        cell.advance(ConnectionState::Draining);
        assert_eq!(cell.get(), ConnectionState::Connecting);
        assert!(cell.connect());

        let progress = cell.progress();
        assert_eq!(progress.state, ConnectionState::Draining);
        assert!(progress.established.is_some());
    }

    #[test]
    fn what_is_to_drain_and_never_is_connected_fails() {
        let cell = StateCell::idle(ConnectionId::next());
        cell.advance(ConnectionState::Connecting);
        cell.advance(ConnectionState::Draining);

        cell.advance(ConnectionState::Closed);

        let progress = cell.progress();
        assert_eq!(progress.state, ConnectionState::Failed);
        assert!(progress.established.is_none());
    }

    #[test]
    fn what_is_closing_before_it_is_connected_is_connected_no_more() {
        let cell = StateCell::idle(ConnectionId::next());
        cell.advance(ConnectionState::Connecting);

        cell.advance(ConnectionState::Closing);
        assert!(!cell.connect());

        assert_eq!(cell.get(), ConnectionState::Connecting);
    }

    #[test]
    fn the_first_final_state_stays() {
        let cell = StateCell::idle(ConnectionId::next());
        cell.advance(ConnectionState::Connected);

        cell.advance(ConnectionState::Closed);
        cell.advance(ConnectionState::Failed);

        assert_eq!(cell.get(), ConnectionState::Closed);
    }

    #[test]
    fn the_times_are_those_of_the_beginning_and_the_end() {
        let cell = StateCell::idle(ConnectionId::next());
        assert!(cell.progress().established.is_none());

        assert!(cell.connect());
        let open = cell.progress();
        cell.advance(ConnectionState::Draining);
        cell.advance(ConnectionState::Closed);
        let over = cell.progress();

        assert_eq!(open.state, ConnectionState::Connected);
        assert!(open.established.is_some() && open.over.is_none());
        assert_eq!(over.established, open.established);
        assert!(over.over.is_some());
    }

    #[test]
    fn what_never_was_connected_has_an_end_and_no_beginning() {
        let cell = StateCell::idle(ConnectionId::next());

        cell.give_up();

        let progress = cell.progress();
        assert!(progress.established.is_none() && progress.over.is_some());
    }

    #[test]
    fn what_never_was_connected_fails_rather_than_closes() {
        let cell = StateCell::idle(ConnectionId::next());
        cell.advance(ConnectionState::Connecting);

        cell.advance(ConnectionState::Closing);
        assert_eq!(cell.get(), ConnectionState::Connecting);
        cell.advance(ConnectionState::Closed);

        assert_eq!(cell.get(), ConnectionState::Failed);
    }
}
