use std::mem;

use tokio::sync::{Notify, oneshot};

use crate::lock::Lock;
use crate::upgrade::UpgradeError;
use crate::{Session, wait};

/// Where a session is handed over, once: from the server to whoever has asked for it.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    state: Lock<State>,
    changed: Notify,
    /// The subprotocol that the session is to have.
    protocol: Lock<Option<String>>,
}

/// What a taker is told.
pub(crate) type Outcome = Result<Session, UpgradeError>;

/// ```text
/// Offered ─► Taken ─► Settled
///    └─────────────────► ▲
/// ```
#[derive(Debug, Default)]
enum State {
    /// Nobody has asked for the session.
    #[default]
    Offered,
    /// Somebody waits for it.
    Taken(oneshot::Sender<Outcome>),
    /// The server knows who gets it, or nobody can ask any more.
    Settled,
}

impl Cell {
    /// Asks for the session.
    pub(crate) fn take(&self) -> Result<oneshot::Receiver<Outcome>, UpgradeError> {
        let mut state = self.state.lock();
        match *state {
            State::Offered => {
                let (taker, outcome) = oneshot::channel();
                *state = State::Taken(taker);
                drop(state);
                self.changed.notify_waiters();
                Ok(outcome)
            }
            State::Taken(_) | State::Settled => Err(UpgradeError::Taken),
        }
    }

    pub(crate) fn set_protocol(&self, protocol: Option<String>) {
        *self.protocol.lock() = protocol;
    }

    pub(crate) fn protocol(&self) -> Option<String> {
        self.protocol.lock().clone()
    }

    /// Lets nobody ask any more.
    pub(crate) fn withdraw(&self) {
        let mut state = self.state.lock();
        if matches!(*state, State::Offered) {
            *state = State::Settled;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Says whether nobody has asked for the session, and nobody can any more.
    pub(crate) fn is_withdrawn(&self) -> bool {
        matches!(*self.state.lock(), State::Settled)
    }

    /// Waits until somebody has asked for the session, or nobody can any more.
    pub(crate) async fn asked(&self) {
        wait::until(&self.changed, || {
            let offered = matches!(*self.state.lock(), State::Offered);
            (!offered).then_some(())
        })
        .await;
    }

    /// Gives whoever asked and still waits, and lets nobody else ask.
    pub(crate) fn settle(&self) -> Option<oneshot::Sender<Outcome>> {
        let state = mem::replace(&mut *self.state.lock(), State::Settled);
        match state {
            State::Taken(taker) if !taker.is_closed() => Some(taker),
            State::Offered | State::Taken(_) | State::Settled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready};

    use super::*;

    #[test]
    fn a_session_is_taken_once() {
        let cell = Cell::default();

        let first = cell.take();

        assert!(first.is_ok());
        assert_eq!(cell.take().unwrap_err(), UpgradeError::Taken);
        assert!(cell.settle().is_some());
        assert!(cell.settle().is_none());
    }

    #[test]
    fn a_taker_that_waits_no_more_has_taken_nothing() {
        let cell = Cell::default();

        drop(cell.take());

        assert!(cell.settle().is_none());
    }

    #[test]
    fn the_server_waits_until_somebody_asks_or_nobody_can() {
        let cell = Cell::default();
        let mut asked = tokio_test::task::spawn(cell.asked());
        assert_pending!(asked.poll());

        cell.withdraw();

        assert!(asked.is_woken());
        assert_ready!(asked.poll());
        assert_eq!(cell.take().unwrap_err(), UpgradeError::Taken);
    }
}
