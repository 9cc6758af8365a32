use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tower_service::Service;

use crate::answer::Answer;
use crate::common::{Item, Shared};
use crate::home::Home;
use crate::line::Turn;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::Return;

/// A lent connection, or a slot of one that is shared; it comes back by drop, once.
///
/// It is a service as the connection is, and fails as the connection does: the pool adds no error.
/// If its `poll_ready` fails, the connection is not lent again.
///
/// It may be dropped anywhere, outside of a runtime, too, and after the pool: the connection then
/// closes. It keeps its connection and its slot, and nothing else of the pool.
#[must_use = "the connection comes back when this is dropped"]
pub struct Pooled<C> {
    /// `None` only while it is dropped.
    connection: Option<C>,
    key: Key,
    turn: Turn,
    base: Base<C>,
    /// Has reached its borrower.
    lent: bool,
    end: Option<Reason>,
}

/// The way home; a shared connection knows it, so that a lease has to hold one thing only.
pub(crate) enum Base<C> {
    Home(Arc<Home<C>>),
    Shared(Arc<dyn Shared<C>>),
}

impl<C> Pooled<C> {
    #[inline(always)]
    pub(crate) fn new(connection: C, key: Key, turn: Turn, base: Base<C>) -> Self {
        Self {
            connection: Some(connection),
            key,
            turn,
            base,
            lent: false,
            end: None,
        }
    }

    /// Gives the connection up: it is not lent again, and closes once nobody uses it.
    ///
    /// Of a shared connection, other borrowers keep their slots until they are done.
    pub fn discard(mut self) {
        self.end = Some(Reason::Discarded);
    }

    /// Names the connection among all that its target has had in this pool; later ones have greater
    /// numbers.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.key.generation
    }

    pub(crate) fn home(&self) -> &Arc<Home<C>> {
        match &self.base {
            Base::Home(home) => home,
            Base::Shared(shared) => shared.home(),
        }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The place in line that it was lent for.
    pub(crate) fn turn(&self) -> Turn {
        self.turn
    }

    /// Asks whether it can be used, whatever its requests are.
    #[inline]
    pub(crate) fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let poll_ready = self.home().common.calls.poll_ready;
        let usable = ready!(poll_ready(&mut *self, cx));
        if !usable {
            self.bury();
        }
        Poll::Ready(usable)
    }

    /// Its borrower has it now.
    #[inline]
    pub(crate) fn reached(&mut self) {
        self.lent = true;
    }

    /// Comes back in a way that needs a decision.
    #[cold]
    fn give_back(&self, item: Option<Item<C>>) {
        let back = match self.end {
            Some(reason) => Return::Done(reason),
            None => Return::Unused(item),
        };
        self.home().give_back(self.key, back);
    }

    /// It has died, and is not lent from here on.
    fn bury(&mut self) {
        if self.end.is_none() {
            self.end = Some(Reason::Dead);
            self.home().close(self.key, Reason::Dead);
        }
    }
}

impl<C, Req> Service<Req> for Pooled<C>
where
    C: Service<Req>,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = Answer<C::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let ready = ready!((**self).poll_ready(cx));
        if ready.is_err() {
            self.bury();
        }
        Poll::Ready(ready)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let future = (**self).call(request);
        Answer::new(future, self.home(), self.key)
    }
}

impl<C> Deref for Pooled<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection
            .as_ref()
            .expect("it is there until the drop")
    }
}

impl<C> DerefMut for Pooled<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection
            .as_mut()
            .expect("it is there until the drop")
    }
}

impl<C> Drop for Pooled<C> {
    #[inline]
    fn drop(&mut self) {
        let connection = self.connection.take();
        match &self.base {
            // The connection's own code runs before its slot is free.
            Base::Shared(shared) => {
                drop(connection);
                if self.lent && self.end.is_none() {
                    shared.home().take_share_back(self.key);
                } else {
                    self.give_back(None);
                }
            }
            Base::Home(home) => match connection {
                Some(connection) if self.lent && self.end.is_none() => {
                    home.take_back(self.key, connection);
                }
                Some(connection) if self.end.is_none() => {
                    self.give_back(Some(Item::Exclusive(connection)));
                }
                discarded => {
                    drop(discarded);
                    self.give_back(None);
                }
            },
        }
    }
}

impl<C> fmt::Debug for Pooled<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
