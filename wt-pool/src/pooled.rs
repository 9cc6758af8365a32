use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tower_service::Service;

use crate::answer::Answer;
use crate::home::Home;
use crate::lease::{Item, Lease};
use crate::line::Turn;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::{Loan, Return};

/// A lent connection, or a slot of one that is shared; it comes back by drop, once.
///
/// It is a service as the connection is, and fails as the connection does: the pool adds no error.
/// If its `poll_ready` fails, the connection is not lent again.
///
/// It may be dropped anywhere, outside of a runtime, too, and after the pool: the connection then
/// closes. It keeps its connection and its slot, and nothing else of the pool.
#[must_use = "the connection comes back when this is dropped"]
pub struct Pooled<C> {
    held: Held<C>,
}

/// What is lent, until it comes back.
struct Held<C>(Option<Item<C>>);

impl<C> Pooled<C> {
    #[inline]
    pub(crate) fn new(loan: Loan<Item<C>>, patient: bool, home: Arc<Home<C>>) -> Self {
        let mut lease = loan.item;
        lease.key = loan.key;
        lease.turn = loan.turn;
        lease.patient = patient;
        lease.lent = false;
        lease.home = Some(home);
        Self {
            held: Held(Some(lease)),
        }
    }

    /// What is held by one who has nothing yet, or no more.
    #[inline]
    pub(crate) fn nothing() -> Self {
        Self { held: Held(None) }
    }

    #[inline]
    pub(crate) fn is_nothing(&self) -> bool {
        self.held.0.is_none()
    }

    /// Gives the connection up: it is not lent again, and closes once nobody uses it.
    ///
    /// Of a shared connection, other borrowers keep their slots until they are done.
    pub fn discard(mut self) {
        self.lease_mut().end = Some(Reason::Discarded);
    }

    /// Names the connection among all of the pool, as its events do; later ones have greater
    /// numbers.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.key().generation
    }

    pub(crate) fn home(&self) -> &Arc<Home<C>> {
        let home = self.lease().home.as_ref();
        home.expect("what is lent knows its home")
    }

    pub(crate) fn key(&self) -> Key {
        self.lease().key
    }

    /// The place in line that it was lent for.
    pub(crate) fn turn(&self) -> Turn {
        self.lease().turn
    }

    pub(crate) fn is_patient(&self) -> bool {
        self.lease().patient
    }

    /// Takes a handle of its own if the connection is shared, see [`Lease::draw`].
    #[inline]
    pub(crate) fn draw(&mut self) -> Option<usize> {
        self.lease_mut().draw()
    }

    /// Asks whether it can be used, whatever its requests are.
    #[inline]
    pub(crate) fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let lease = self.lease_mut();
        let usable = ready!(lease.poll_usable(cx));
        if !usable {
            lease.bury();
        }
        Poll::Ready(usable)
    }

    /// Its borrower has it now.
    #[inline]
    pub(crate) fn reached(&mut self) {
        self.lease_mut().lent = true;
    }

    #[inline]
    fn lease(&self) -> &Lease<C> {
        self.held.0.as_ref().expect("it is there until the drop")
    }

    #[inline]
    fn lease_mut(&mut self) -> &mut Lease<C> {
        self.held.0.as_mut().expect("it is there until the drop")
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
            self.lease_mut().bury();
        }
        Poll::Ready(ready)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let future = (**self).call(request);
        Answer::new(future, self.home(), self.key())
    }
}

impl<C> Deref for Pooled<C> {
    type Target = C;

    fn deref(&self) -> &C {
        let connection = self.lease().connection.as_ref();
        connection.expect("it is there until the drop")
    }
}

impl<C> DerefMut for Pooled<C> {
    fn deref_mut(&mut self) -> &mut C {
        let connection = self.lease_mut().connection.as_mut();
        connection.expect("it is there until the drop")
    }
}

impl<C> Drop for Pooled<C> {
    /// The connection's own code runs before its slot is free, and may panic.
    #[inline]
    fn drop(&mut self) {
        let Some(lease) = &mut self.held.0 else {
            return;
        };
        if lease.end.is_some() || lease.is_shared() {
            drop(lease.connection.take());
        }
    }
}

impl<C> Drop for Held<C> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            come_back(lease);
        }
    }
}

/// Apart from the drop, which has nothing to do where something was passed on.
#[inline(never)]
fn come_back<C>(mut lease: Item<C>) {
    if lease.lent
        && lease.end.is_none()
        && let Some(home) = lease.home.take()
    {
        home.take_back(lease);
    } else {
        come_back_unused(lease);
    }
}

/// Of no use, or not used.
#[cold]
fn come_back_unused<C>(mut lease: Item<C>) {
    let Some(home) = lease.home.take() else {
        return;
    };
    let key = lease.key;
    let back = match lease.end {
        None => Return::Unused(lease),
        Some(reason) => {
            // What is shared leaves with its slot, and no handle on it is left.
            drop(lease);
            Return::Done(reason)
        }
    };
    home.give_back(key, back);
}

impl<C> fmt::Debug for Pooled<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
