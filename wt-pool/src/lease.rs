use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::common::PollReady;
use crate::home::Home;
use crate::line::Turn;
use crate::shared::Shared;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::Share;

/// A connection in stock, and what its borrower has of it.
///
/// An exclusive connection is in it all the time. Of a shared one, each borrower has a lease with a
/// handle of its own, and leases that come back are kept for those who come next. Boxed, it goes
/// from the stock to the borrower and back as one word: to move it about would cost more than all
/// the rest.
pub(crate) struct Lease<C> {
    /// The connection, or the borrower's handle on it; not there in what is shared.
    pub(crate) connection: Option<C>,
    /// What it is a lease of, if that is shared.
    shared: Option<Arc<dyn Shared<C>>>,
    /// The way back, known while it is lent.
    pub(crate) home: Option<Arc<Home<C>>>,
    poll_ready: PollReady<C>,
    pub(crate) key: Key,
    /// The place in line that it is lent for.
    pub(crate) turn: Turn,
    /// Who has that place keeps it when a connect fails.
    pub(crate) patient: bool,
    /// Has reached its borrower.
    pub(crate) lent: bool,
    pub(crate) end: Option<Reason>,
    spares: Vec<Item<C>>,
}

pub(crate) type Item<C> = Box<Lease<C>>;

impl<C> Lease<C> {
    pub(crate) fn exclusive(connection: C, poll_ready: PollReady<C>) -> Item<C> {
        Self::new(Some(connection), None, poll_ready)
    }

    pub(crate) fn shared(shared: Arc<dyn Shared<C>>, poll_ready: PollReady<C>) -> Item<C> {
        Self::new(None, Some(shared), poll_ready)
    }

    fn new(
        connection: Option<C>,
        shared: Option<Arc<dyn Shared<C>>>,
        poll_ready: PollReady<C>,
    ) -> Item<C> {
        Box::new(Self {
            connection,
            shared,
            home: None,
            poll_ready,
            key: Key::default(),
            turn: Turn::default(),
            patient: false,
            lent: false,
            end: None,
            spares: Vec::new(),
        })
    }

    /// Takes the borrower's own handle on a connection that is shared, and tells how many may have
    /// one now; `None` if it is exclusive.
    #[inline]
    pub(crate) fn draw(&mut self) -> Option<usize> {
        let shared = self.shared.as_ref()?;
        Some(shared.lend(&mut self.connection))
    }

    /// Asks whether the borrower can use it.
    #[inline]
    pub(crate) fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let connection = self.connection.as_mut();
        connection.map_or(Poll::Ready(false), |connection| {
            (self.poll_ready)(connection, cx)
        })
    }

    /// What is lent has died, and is not lent from here on.
    #[cold]
    pub(crate) fn bury(&mut self) {
        if self.end.is_none()
            && let Some(home) = &self.home
        {
            self.end = Some(Reason::Dead);
            home.close(self.key, Reason::Dead);
        }
    }

    /// Asks in passing; a handle on what is shared is dropped here, and keeps nothing reserved.
    pub(crate) fn poll_in_passing(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.draw();
        let usable = self.poll_usable(cx);
        if self.is_shared() {
            self.connection = None;
        }
        usable
    }

    /// What there is to be looked at.
    pub(crate) fn connection(&self) -> &C {
        let shared = self.shared.as_ref().map(|shared| shared.connection());
        let connection = self.connection.as_ref().or(shared);
        connection.expect("an exclusive connection is in its lease")
    }

    /// How many may use it at once, now.
    pub(crate) fn capacity(&self) -> usize {
        self.shared.as_ref().map_or(1, |shared| shared.capacity())
    }

    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }
}

impl<C> Share for Item<C> {
    #[inline]
    fn share(&mut self) -> Option<Self> {
        let shared = self.shared.as_ref()?;
        let spare = self.spares.pop();
        let new = || Lease::new(None, Some(Arc::clone(shared)), self.poll_ready);
        Some(spare.unwrap_or_else(new))
    }

    /// It holds no handle by now, and is not the last to hold the connection.
    #[inline]
    fn keep(&mut self, lease: Self) {
        if self.spares.len() < SPARES {
            self.spares.push(lease);
        }
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// As many borrowers come and go without an allocation.
const SPARES: usize = 256;
