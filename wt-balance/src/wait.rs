use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::task::coop::{has_budget_remaining, poll_proceed};
use tokio::time::{Instant, Sleep, sleep};
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
    /// Whether that is the second one.
    begun_anew: bool,
    changed: Option<Pin<Box<OwnedNotified>>>,
    /// When those are asked again that are not among the waiting.
    again: Option<Pin<Box<Sleep>>>,
}

impl<K, S: Clone> Wait<K, S> {
    /// Whoever is ready, is put in `ready`.
    pub(crate) fn poll<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        ready: &mut Option<Candidate<K, S>>,
        cx: &mut Context<'_>,
    ) -> Poll<Found>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        loop {
            if query.backends.common.is_closing() {
                return Poll::Ready(Found::Nobody(Unavailable::Closed));
            }
            query.backends.bring_back();
            let members = query.backends.members();
            *ready = self.poll_waiting::<Req>(query.backends, &members, cx);
            if ready.is_some() {
                return Poll::Ready(Found::Ready);
            }
            // Whom a task asks that has had its turn, he cannot tell.
            ready!(poll_turn(cx));
            match self.poll_others(query, &members, ready, cx) {
                Others::Found(found) => return Poll::Ready(found),
                Others::More => {
                    // One turn of the task must not look at a set again and again that falls apart.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Others::Nobody => {}
            }
            ready!(poll_turn(cx));
            drop(members);
            let all = query.backends.members().slots.len();
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
        members: &Members<K, S>,
        cx: &mut Context<'_>,
    ) -> Option<Candidate<K, S>>
    where
        S: Service<Req>,
    {
        // Nor is one waited for that has no weight any more, or is another client's.
        let used = |id| members.slot(id).is_some();
        self.waiting
            .retain(|candidate| !candidate.is_gone() && used(candidate.stats.id));
        let mut place = 0;
        while let Some(candidate) = self.waiting.get_mut(place) {
            match candidate.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    candidate.stats.rest.end();
                    return Some(self.waiting.swap_remove(place));
                }
                Poll::Ready(Err(_)) => backends.lose(&[self.waiting.remove(place)]),
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
        ready: &mut Option<Candidate<K, S>>,
        cx: &mut Context<'_>,
    ) -> Others
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        let mut tried: Vec<_> = self.waiting.iter().map(|known| known.stats.id).collect();
        let mut lost = Vec::new();
        let mut others = Others::More;
        for _ in 0..AT_ONCE {
            let mut candidate = match choose(query, members, &tried) {
                Pick::One(place) => Candidate::new(members, place, query.tells),
                Pick::NeedsRequest => {
                    others = Others::Found(Found::NeedsRequest);
                    break;
                }
                Pick::Nobody => {
                    others = Others::Nobody;
                    break;
                }
            };
            tried.push(candidate.stats.id);
            match candidate.service.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    candidate.stats.rest.end();
                    *ready = Some(candidate);
                    others = Others::Found(Found::Ready);
                    break;
                }
                Poll::Ready(Err(_)) => lost.push(candidate),
                Poll::Pending => {
                    self.wait_for(candidate, query.backends);
                    if !has_budget_remaining() {
                        break;
                    }
                }
            }
        }
        // The oldest places are kept, for good: the others are asked again from time to time.
        self.waiting.truncate(AT_ONCE);
        if lost.is_empty() && matches!(others, Others::More) {
            return Others::Nobody;
        }
        query.backends.lose(&lost);
        others
    }

    pub(crate) fn wait_for(&mut self, candidate: Candidate<K, S>, backends: &Backends<K, S>) {
        // It may be the task that is not to go on, and not the backend.
        if has_budget_remaining() {
            tracing::trace!(backend = &*candidate.stats.name, "backend busy");
            candidate.stats.begin_rest(backends.common.now());
        }
        self.waiting.push(candidate);
    }

    fn poll_patience(&mut self, patience: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if patience.is_zero() {
            return Poll::Ready(());
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(deadline.as_mut().poll(cx));
        if !self.begun_anew && deadline.deadline() + REST < Instant::now() {
            // Nobody waited when it was over: whoever asks now has just begun to. Once: who is
            // always late must not wait for ever.
            self.begun_anew = true;
            deadline.set(sleep(patience));
            return deadline.as_mut().poll(cx);
        }
        Poll::Ready(())
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
            begun_anew: false,
            changed: None,
            again: None,
        }
    }
}

/// What came of asking the others.
enum Others {
    Found(Found),
    /// So many have left that there are others to be asked.
    More,
    Nobody,
}

/// Pending if the task has done enough for one turn, in which tokio's types are never ready; it is
/// woken then.
fn poll_turn(cx: &mut Context<'_>) -> Poll<()> {
    if has_budget_remaining() {
        return Poll::Ready(());
    }
    poll_proceed(cx).map(drop)
}

/// How many backends are asked at once, and waited for.
const AT_ONCE: usize = 64;
