use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use crate::backends::Backends;
use crate::candidate::Candidate;
use crate::choose::{Query, choose};
use crate::error::Unavailable;
use crate::members::Members;
use crate::policy::{Pick, Policy};
use crate::search::Found;
use crate::stats::REST;

/// What is kept while nobody is ready.
pub(crate) struct Wait<K, S> {
    /// Those that were asked and are not ready: each has the place in line that it was given, and
    /// the waker of who searches.
    waiting: Vec<Candidate<K, S>>,
    deadline: Option<Pin<Box<Sleep>>>,
    changed: Option<Pin<Box<OwnedNotified>>>,
    /// When those are asked again that are not among the waiting.
    again: Option<Pin<Box<Sleep>>>,
}

impl<K, S: Clone> Wait<K, S> {
    pub(crate) fn poll<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Found<K, S>>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        loop {
            if query.backends.common.is_closing() {
                return Poll::Ready(Found::Nobody(Unavailable::Closed));
            }
            if let Some(ready) = self.poll_waiting::<Req>(query.backends, cx) {
                return Poll::Ready(Found::Ready(ready));
            }
            let members = query.backends.members();
            match self.poll_others(query, &members, cx) {
                Others::Found(found) => return Poll::Ready(found),
                Others::Gone => continue,
                Others::Nobody => {}
            }
            let all = members.slots.len();
            drop(members);
            if self.poll_patience(query.backends.patience(), cx).is_ready() {
                let nobody = if all == 0 {
                    Unavailable::Empty
                } else {
                    Unavailable::Busy
                };
                tracing::debug!(%nobody, "no backend for a call");
                return Poll::Ready(Found::Nobody(nobody));
            }
            let changed = self.poll_changed(query.backends, cx);
            if changed.is_pending() && self.poll_again(all, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Asks those that were asked before: they come first, as they may have been waiting in line.
    fn poll_waiting<Req>(
        &mut self,
        backends: &Backends<K, S>,
        cx: &mut Context<'_>,
    ) -> Option<Candidate<K, S>>
    where
        S: Service<Req>,
    {
        self.waiting.retain(|candidate| !candidate.is_gone());
        let mut place = 0;
        while let Some(candidate) = self.waiting.get_mut(place) {
            match candidate.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    candidate.stats.end_rest();
                    return Some(self.waiting.swap_remove(place));
                }
                Poll::Ready(Err(_)) => self.waiting.remove(place).lose(backends),
                Poll::Pending => place += 1,
            }
        }
        None
    }

    /// Asks the others, in the order that the policy has them, until one is ready.
    fn poll_others<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        members: &Members<K, S>,
        cx: &mut Context<'_>,
    ) -> Others<K, S>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        let mut tried: Vec<_> = self.waiting.iter().map(|known| known.stats.id).collect();
        for _ in 0..AT_ONCE {
            let mut candidate = match choose(query, members, &tried) {
                Pick::One(place) => Candidate::new(members, place, query.tells),
                Pick::NeedsRequest => return Others::Found(Found::NeedsRequest),
                Pick::Nobody => return Others::Nobody,
            };
            match candidate.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    candidate.stats.end_rest();
                    return Others::Found(Found::Ready(candidate));
                }
                Poll::Ready(Err(_)) => {
                    candidate.lose(query.backends);
                    return Others::Gone;
                }
                Poll::Pending => {
                    tried.push(candidate.stats.id);
                    self.wait_for(candidate, query.backends);
                }
            }
        }
        // The newest places are kept: each lasts until the others are asked again at least.
        let surplus = self.waiting.len().saturating_sub(AT_ONCE);
        self.waiting.drain(..surplus);
        Others::Nobody
    }

    pub(crate) fn wait_for(&mut self, candidate: Candidate<K, S>, backends: &Backends<K, S>) {
        tracing::trace!(backend = &*candidate.stats.name, "backend busy");
        candidate.stats.rest(backends.common.now());
        self.waiting.push(candidate);
    }

    fn poll_patience(&mut self, patience: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if patience.is_zero() {
            return Poll::Ready(());
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(cx)
    }

    /// Ready once the set has changed since it was last looked at, so that no change is missed.
    fn poll_changed(&mut self, backends: &Backends<K, S>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(changed) = &mut self.changed else {
            // From here on, a change is noticed; one that came before is to be seen by looking.
            let changed = Arc::clone(&backends.changes).notified_owned();
            self.changed = Some(Box::pin(changed));
            return Poll::Ready(());
        };
        ready!(changed.as_mut().poll(cx));
        self.changed = None;
        Poll::Ready(())
    }

    /// Ready from time to time, if there are more than can be waited for at once.
    fn poll_again(&mut self, all: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting.len() >= all {
            return Poll::Pending;
        }
        let again = self.again.get_or_insert_with(|| Box::pin(sleep(REST)));
        ready!(again.as_mut().poll(cx));
        self.again = None;
        Poll::Ready(())
    }
}

impl<K, S> Default for Wait<K, S> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            deadline: None,
            changed: None,
            again: None,
        }
    }
}

/// What came of asking the others.
enum Others<K, S> {
    Found(Found<K, S>),
    /// One of them has left: it is another set now.
    Gone,
    Nobody,
}

/// How many backends are asked at once, and waited for.
const AT_ONCE: usize = 64;
