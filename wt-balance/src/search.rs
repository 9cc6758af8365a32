use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use crate::backend::Backend;
use crate::backends::Backends;
use crate::error::Unavailable;
use crate::members::{ALL, Members, Tier};
use crate::policy::{Pick, Policy};
use crate::stats::{REST, Stats};
use crate::view::{Skip, View};

/// A backend's service that is, or may become, ready for one call.
pub(crate) struct Candidate<K, S> {
    pub(crate) backend: Arc<Backend<K, S>>,
    pub(crate) service: S,
}

/// What a search ends with.
pub(crate) enum Found<K, S> {
    Ready(Candidate<K, S>),
    NeedsRequest,
    Nobody(Unavailable),
}

/// The search for a backend that is ready; what it holds while it waits, it drops when it ends.
pub(crate) struct Search<K, S> {
    /// Those that were asked and are not ready: each has the place in line that it was given, and
    /// the waker of who searches.
    waiting: Vec<Candidate<K, S>>,
    /// Made by a wait only, as all here.
    deadline: Option<Pin<Box<Sleep>>>,
    changed: Option<Pin<Box<OwnedNotified>>>,
    /// When those are asked again that are not among the waiting.
    again: Option<Pin<Box<Sleep>>>,
}

/// Who was called last, and how often it had failed by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    id: u64,
    failures: u64,
}

impl Last {
    pub(crate) fn new(stats: &Stats) -> Self {
        Self {
            id: stats.id,
            failures: stats.failures(),
        }
    }

    /// Its number, if it has failed since.
    #[inline]
    fn failed_since<K, S>(self, members: &Members<K, S>) -> Option<u64> {
        let slot = members.slot(self.id)?;
        (slot.stats.failures() != self.failures).then_some(self.id)
    }
}

/// Who searches, and for what.
pub(crate) struct Query<'a, K, S, P, Req> {
    pub(crate) backends: &'a Backends<K, S>,
    pub(crate) policy: &'a P,
    pub(crate) request: Option<&'a Req>,
    pub(crate) last: Option<Last>,
    pub(crate) patience: Duration,
}

impl<K, S> Search<K, S> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            deadline: None,
            changed: None,
            again: None,
        }
    }

    /// Takes up a candidate that was ready and is not any more.
    pub(crate) fn with(candidate: Candidate<K, S>) -> Self {
        Self {
            waiting: vec![candidate],
            ..Self::new()
        }
    }
}

impl<K, S: Clone> Search<K, S> {
    /// Ready with a backend that is, or with why there is none; until then, a waker is kept by each
    /// backend that is not ready, by the set, and by the clock.
    #[inline]
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
            let members = query.backends.members();
            if query.backends.common.is_closing() {
                return self.end(Found::Nobody(Unavailable::Closed));
            }
            if !self.waiting.is_empty()
                && let Some(ready) = self.poll_waiting::<Req>(query.backends, cx)
            {
                return self.end(Found::Ready(ready));
            }
            match self.poll_others(query, &members, cx) {
                Others::Found(found) => return self.end(found),
                Others::Gone => continue,
                Others::Nobody => {}
            }
            let all = members.slots.len();
            drop(members);
            if self.poll_patience(query, cx).is_ready() {
                let nobody = if query.backends.members().slots.is_empty() {
                    Unavailable::Empty
                } else {
                    Unavailable::Busy
                };
                tracing::debug!(%nobody, "no backend for a call");
                return self.end(Found::Nobody(nobody));
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
        self.waiting
            .retain(|candidate| !candidate.backend.is_gone());
        let mut place = 0;
        while let Some(candidate) = self.waiting.get_mut(place) {
            match candidate.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    candidate.backend.stats.end_rest();
                    return Some(self.waiting.swap_remove(place));
                }
                Poll::Ready(Err(_)) => backends.lose(&self.waiting.remove(place).backend),
                Poll::Pending => place += 1,
            }
        }
        None
    }

    /// Asks the others, in the order that the policy has them, until one is ready.
    #[inline]
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
        let mut tried = Vec::new();
        tried.extend(self.waiting.iter().map(|known| known.backend.stats.id));
        for _ in 0..AT_ONCE {
            let backend = match choose(query, members, &tried) {
                Pick::One(place) => &members.backends[place],
                Pick::NeedsRequest => return Others::Found(Found::NeedsRequest),
                Pick::Nobody => return Others::Nobody,
            };
            let mut candidate = Candidate {
                backend: Arc::clone(backend),
                service: backend.service(),
            };
            match candidate.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    backend.stats.end_rest();
                    return Others::Found(Found::Ready(candidate));
                }
                Poll::Ready(Err(_)) => {
                    query.backends.lose(backend);
                    return Others::Gone;
                }
                Poll::Pending => {
                    tracing::trace!(backend = &*backend.stats.name, "backend busy");
                    backend.stats.rest(query.backends.common.now());
                    tried.push(backend.stats.id);
                    self.waiting.push(candidate);
                }
            }
        }
        // The newest places are kept: each lasts until the others are asked again at least.
        let surplus = self.waiting.len().saturating_sub(AT_ONCE);
        self.waiting.drain(..surplus);
        Others::Nobody
    }

    fn poll_patience<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if query.patience.is_zero() {
            return Poll::Ready(());
        }
        let patience = || Box::pin(sleep(query.patience));
        self.deadline.get_or_insert_with(patience).as_mut().poll(cx)
    }

    /// Ready once the set has changed since it was last looked at, so that no change is missed.
    fn poll_changed(&mut self, backends: &Backends<K, S>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(changed) = &mut self.changed else {
            // From here on, a change is noticed; one that came before is to be seen by looking.
            let changed = Arc::clone(&backends.changes).notified_owned();
            self.changed = Some(Box::pin(changed));
            return Poll::Ready(());
        };
        let changed = changed.as_mut().poll(cx);
        if changed.is_ready() {
            self.changed = None;
        }
        changed
    }

    /// Ready from time to time, if there are more than can be waited for at once.
    fn poll_again(&mut self, all: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting.len() >= all {
            return Poll::Pending;
        }
        let again = self.again.get_or_insert_with(|| Box::pin(sleep(REST)));
        let again = again.as_mut().poll(cx);
        if again.is_ready() {
            self.again = None;
        }
        again
    }

    fn end(&mut self, found: Found<K, S>) -> Poll<Found<K, S>> {
        // Drops only what there is: most searches never wait.
        if !self.waiting.is_empty() || self.changed.is_some() || self.deadline.is_some() {
            *self = Self::new();
        }
        Poll::Ready(found)
    }
}

/// What came of asking the others.
enum Others<K, S> {
    Found(Found<K, S>),
    /// One of them has left: it is another set now.
    Gone,
    Nobody,
}

/// Picks one of those that were not tried; its place is that in the whole set.
#[inline]
pub(crate) fn choose<K, S, P, Req>(
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    tried: &[u64],
) -> Pick
where
    P: Policy<Req>,
{
    // Who has failed since it was called, and its backend is still the same.
    let avoided = query.last.and_then(|last| last.failed_since(members));
    let mut skip = Skip {
        tried,
        avoided,
        resting: true,
    };
    let first = members.first_tier(|| fastrand::u32(..ALL));
    loop {
        let mut spared = false;
        for tier in order(first, &members.tiers) {
            let slots = &members.slots[tier.range.clone()];
            let view = View::new(slots, &query.backends.common, skip)
                .of_version(members.version)
                .panicking(tier.panics())
                .warming(members.is_warming());
            match query.policy.pick(&view, query.request) {
                // A pick that is not allowed is none.
                Pick::One(place) if place < view.len() && view.is_usable(place) => {
                    return Pick::One(tier.range.start + place);
                }
                Pick::NeedsRequest if query.request.is_none() => return Pick::NeedsRequest,
                _ => spared |= view.has_spared(),
            }
        }
        if !spared {
            return Pick::Nobody;
        }
        // Those that rest first: they may be ready after all. Then whom the caller avoids.
        if skip.resting {
            skip.resting = false;
        } else {
            skip.avoided = None;
        }
    }
}

/// The first one, then the others as they come.
fn order(first: usize, tiers: &[Tier]) -> impl Iterator<Item = &Tier> {
    let others = tiers.iter().enumerate();
    let others = others.filter(move |(n, _)| *n != first);
    tiers
        .get(first)
        .into_iter()
        .chain(others.map(|(_, tier)| tier))
}

/// How many backends are asked at once, and waited for.
const AT_ONCE: usize = 64;

impl<K, S> fmt::Debug for Search<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
