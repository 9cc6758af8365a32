use std::fmt;

use tokio::sync::watch;

/// How far a connection is.
///
/// ```text
/// Idle ─► Connecting ─► Connected ─► Draining ─► Closing ─► Closed
///              │            └────────────┴──────────┴────► Failed
///              └─────────────────────────────────────────► Failed
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
    /// The peer takes no new sessions; those that are open go on.
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
pub(crate) struct StateCell(watch::Sender<ConnectionState>);

impl StateCell {
    pub(crate) fn idle() -> Self {
        Self(watch::Sender::new(ConnectionState::Idle))
    }

    /// Moves on to `next`; what would be a step back changes nothing.
    ///
    /// What never was connected does not close: it fails once it is over.
    pub(crate) fn advance(&self, next: ConnectionState) {
        self.0.send_if_modified(|state| {
            let next = match next {
                ConnectionState::Closing if !state.was_connected() => return false,
                ConnectionState::Closed if !state.was_connected() => ConnectionState::Failed,
                next => next,
            };
            let forward = !state.is_final() && (*state as u8) < (next as u8);
            if forward {
                *state = next;
            }
            forward
        });
    }

    /// Moves on to `Connected`; says whether it is not over already.
    pub(crate) fn connect(&self) -> bool {
        let mut over = false;
        self.0.send_if_modified(|state| {
            over = state.is_final();
            let begins = !state.was_connected();
            if begins {
                *state = ConnectionState::Connected;
            }
            begins
        });
        !over
    }

    /// Fails what never was connected.
    pub(crate) fn give_up(&self) {
        self.0.send_if_modified(|state| {
            let given_up = !state.was_connected();
            if given_up {
                *state = ConnectionState::Failed;
            }
            given_up
        });
    }

    pub(crate) fn get(&self) -> ConnectionState {
        *self.0.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<ConnectionState> {
        self.0.subscribe()
    }

    /// Waits until the state is `least`, or behind it.
    pub(crate) async fn reached(&self, least: ConnectionState) {
        // The sender lives as long as `self`.
        let _ = self
            .subscribe()
            .wait_for(|state| *state as u8 >= least as u8)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_never_steps_back() {
        let cell = StateCell::idle();

        cell.advance(ConnectionState::Draining);
        cell.advance(ConnectionState::Connected);

        assert_eq!(cell.get(), ConnectionState::Draining);
    }

    #[test]
    fn the_first_final_state_stays() {
        let cell = StateCell::idle();
        cell.advance(ConnectionState::Connected);

        cell.advance(ConnectionState::Closed);
        cell.advance(ConnectionState::Failed);

        assert_eq!(cell.get(), ConnectionState::Closed);
    }

    #[test]
    fn what_never_was_connected_fails_rather_than_closes() {
        let cell = StateCell::idle();
        cell.advance(ConnectionState::Connecting);

        cell.advance(ConnectionState::Closing);
        assert_eq!(cell.get(), ConnectionState::Connecting);
        cell.advance(ConnectionState::Closed);

        assert_eq!(cell.get(), ConnectionState::Failed);
    }
}
