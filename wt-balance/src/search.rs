use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use crate::backends::Backends;
use crate::clock::Nanos;
use crate::common::Common;
use crate::error::Unavailable;
use crate::members::{ALL, Members, Tier};
use crate::policy::{Pick, Policy};
use crate::stats::{REST, Stats};
use crate::view::{Mood, Skip, View};

/// A backend's service that is, or may become, ready for one call.
pub(crate) struct Candidate<K, S> {
    pub(crate) service: S,
    pub(crate) stats: Arc<Stats>,
    generation: u64,
    /// Where it was when it was picked.
    place: u32,
    /// If anybody is to be told.
    pub(crate) key: Option<Arc<K>>,
}

impl<K, S: Clone> Candidate<K, S> {
    #[inline(always)]
    pub(crate) fn new(members: &Members<K, S>, place: usize, tells: bool) -> Self {
        let backend = &members.backends[place];
        Self {
            place: place as u32,
            service: backend.service(),
            stats: Arc::clone(&backend.stats),
            generation: backend.generation,
            key: tells.then(|| Arc::clone(&backend.key)),
        }
    }
}

impl<K, S> Candidate<K, S> {
    /// Whether the service has failed for good or been replaced, or the backend removed.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        !self.stats.is_current(self.generation)
    }

    pub(crate) fn lose(&self, backends: &Backends<K, S>) {
        backends.lose(&self.stats, self.generation);
    }
}

/// What a search ends with.
pub(crate) enum Found<K, S> {
    Ready(Candidate<K, S>),
    NeedsRequest,
    Nobody(Unavailable),
}

/// The search for a backend that is ready; what it holds while it waits, it drops when it ends.
pub(crate) struct Search<K, S> {
    /// To be asked first.
    first: Option<Candidate<K, S>>,
    /// Made by a wait only: most searches end at once.
    wait: Option<Box<Wait<K, S>>>,
}

/// What is kept while nobody is ready.
struct Wait<K, S> {
    /// Those that were asked and are not ready: each has the place in line that it was given, and
    /// the waker of who searches.
    waiting: Vec<Candidate<K, S>>,
    deadline: Option<Pin<Box<Sleep>>>,
    changed: Option<Pin<Box<OwnedNotified>>>,
    /// When those are asked again that are not among the waiting.
    again: Option<Pin<Box<Sleep>>>,
}

/// Who was called last, and how often it had failed by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    /// 0 is nobody.
    id: u64,
    at: Nanos,
    failures: u32,
    /// Where it was then.
    place: u32,
}

impl Last {
    pub(crate) const NOBODY: Self = Self {
        id: 0,
        at: Nanos(0),
        failures: 0,
        place: 0,
    };

    #[inline]
    pub(crate) fn new<K, S>(candidate: &Candidate<K, S>, now: Nanos) -> Self {
        Self {
            id: candidate.stats.id,
            at: now,
            failures: candidate.stats.failures() as u32,
            place: candidate.place,
        }
    }

    /// Its number, if it has failed since, not long ago, and is there still; or 0.
    #[inline]
    fn failed_since<K, S>(self, members: &Members<K, S>, common: &Common) -> u64 {
        if let Some(slot) = members.slots.get(self.place as usize)
            && slot.id == self.id
            && slot.stats.failures() as u32 == self.failures
        {
            return 0;
        }
        self.look(members, common)
    }

    /// As [`failed_since`](Self::failed_since), wherever it is now.
    #[cold]
    fn look<K, S>(self, members: &Members<K, S>, common: &Common) -> u64 {
        let slot = members.slot(self.id);
        let failed = slot.is_some_and(|slot| slot.stats.failures() as u32 != self.failures);
        if failed && common.now() < self.at.after(AVOIDED) {
            self.id
        } else {
            0
        }
    }
}

/// Who searches, and for what.
pub(crate) struct Query<'a, K, S, P, Req> {
    pub(crate) backends: &'a Backends<K, S>,
    pub(crate) policy: &'a P,
    pub(crate) request: Option<&'a Req>,
    pub(crate) last: Last,
    pub(crate) tells: bool,
}

impl<K, S> Search<K, S> {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            wait: None,
        }
    }

    /// Takes up one that is to be asked before others are picked.
    pub(crate) fn with(candidate: Candidate<K, S>) -> Self {
        Self {
            first: Some(candidate),
            wait: None,
        }
    }
}

impl<K, S: Clone> Search<K, S> {
    /// Ready with a backend that is, or with why there is none; until then, a waker is kept by each
    /// backend that is not ready, by the set, and by the clock.
    #[inline(always)]
    pub(crate) fn poll<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Found<K, S>>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        if self.wait.is_none()
            && let Some(found) = self.ask_first(query, cx)
        {
            return Poll::Ready(found);
        }
        self.poll_long(query, cx)
    }

    /// Asks the first that is picked, which most often is ready.
    #[inline(always)]
    fn ask_first<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        cx: &mut Context<'_>,
    ) -> Option<Found<K, S>>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        if query.backends.common.is_closing() {
            return Some(Found::Nobody(Unavailable::Closed));
        }
        let mut candidate = match self.first.take() {
            Some(first) => first,
            None => {
                let members = query.backends.members();
                match choose(query, &members, &[]) {
                    Pick::One(place) => Candidate::new(&members, place, query.tells),
                    Pick::NeedsRequest => return Some(Found::NeedsRequest),
                    Pick::Nobody => return None,
                }
            }
        };
        match candidate.service.poll_ready(cx) {
            Poll::Ready(Ok(())) => {
                candidate.stats.end_rest();
                return Some(Found::Ready(candidate));
            }
            Poll::Ready(Err(_)) => candidate.lose(query.backends),
            Poll::Pending => {
                let wait = self.wait.get_or_insert_default();
                wait.wait_for(candidate, query.backends);
            }
        }
        None
    }

    #[inline(never)]
    fn poll_long<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Found<K, S>>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        let found = ready!(self.wait.get_or_insert_default().poll(query, cx));
        // With it go the places in other lines.
        self.wait = None;
        Poll::Ready(found)
    }
}

impl<K, S: Clone> Wait<K, S> {
    fn poll<P, Req>(
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

    fn wait_for(&mut self, candidate: Candidate<K, S>, backends: &Backends<K, S>) {
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

/// Picks one of those that were not tried; its place is that in the whole set.
#[inline(always)]
pub(crate) fn choose<K, S, P, Req>(
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    tried: &[u64],
) -> Pick
where
    P: Policy<Req>,
{
    let mut skip = Skip {
        tried,
        // Who has failed since it was called.
        avoided: query.last.failed_since(members, &query.backends.common),
        resting: true,
    };
    let first = members.first_tier(|| fastrand::u32(..ALL));
    loop {
        let mut spared = false;
        for tier in order(first, &members.tiers) {
            let picked = pick_in(tier, query, members, skip, &mut spared);
            if picked != Pick::Nobody {
                return picked;
            }
        }
        if !spared {
            return Pick::Nobody;
        }
        // Those that rest first: they may be ready after all. Then whom the caller avoids.
        if skip.resting {
            skip.resting = false;
        } else {
            skip.avoided = 0;
        }
    }
}

#[inline(always)]
fn pick_in<K, S, P, Req>(
    tier: &Tier,
    query: &Query<'_, K, S, P, Req>,
    members: &Members<K, S>,
    skip: Skip<'_>,
    spared: &mut bool,
) -> Pick
where
    P: Policy<Req>,
{
    let mood = Mood {
        version: members.version,
        panics: tier.panics(),
        warming: members.is_warming(),
    };
    let slots = &members.slots[tier.range.clone()];
    let view = View::new(slots, &query.backends.common, skip, mood);
    match query.policy.pick(&view, query.request) {
        // A pick that is not allowed is none.
        Pick::One(place) if place < view.len() && view.is_usable(place) => {
            Pick::One(tier.range.start + place)
        }
        Pick::NeedsRequest if query.request.is_none() => Pick::NeedsRequest,
        _ => {
            *spared |= view.has_spared();
            Pick::Nobody
        }
    }
}

/// The first one, then the others as they come.
#[inline]
fn order(first: usize, tiers: &[Tier]) -> impl Iterator<Item = &Tier> {
    let others = tiers.iter().enumerate();
    let others = others.filter(move |(n, _)| *n != first);
    tiers
        .get(first)
        .into_iter()
        .chain(others.map(|(_, tier)| tier))
}

/// How long a backend is avoided that has failed: longer than a call takes that is tried again, and
/// not for ever, as a handle may be cloned for each call and never be called itself.
const AVOIDED: Duration = Duration::from_secs(60);
/// How many backends are asked at once, and waited for.
const AT_ONCE: usize = 64;

impl<K, S> fmt::Debug for Search<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("waits", &self.wait.is_some())
            .finish_non_exhaustive()
    }
}
