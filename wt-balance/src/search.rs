use std::fmt;
use std::task::{Context, Poll, ready};

use tower_service::Service;

use crate::candidate::Candidate;
use crate::choose::{Query, choose};
use crate::error::Unavailable;
use crate::policy::{Pick, Policy};
use crate::wait::Wait;

/// What a search ends with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// A backend, to be [taken](Search::take).
    Ready,
    NeedsRequest,
    Nobody(Unavailable),
}

/// The search for a backend that is ready; what it holds while it waits, it drops when it ends.
pub(crate) struct Search<K, S> {
    /// To be asked first; or the one that is ready. It stays where it was put: to move it from one
    /// value to the next takes longer than to pick it.
    first: Option<Candidate<K, S>>,
    /// Made by a wait only: most searches end at once.
    wait: Option<Box<Wait<K, S>>>,
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

    /// The one that is ready.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<Candidate<K, S>> {
        self.first.take()
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
    ) -> Poll<Found>
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
    ) -> Option<Found>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        if query.backends.common.is_closing() {
            return Some(Found::Nobody(Unavailable::Closed));
        }
        let candidate = match &mut self.first {
            Some(first) => first,
            none => {
                let members = query.backends.members();
                match choose(query, &members, &[]) {
                    Pick::One(place) => none.insert(Candidate::new(&members, place, query.tells)),
                    Pick::NeedsRequest => return Some(Found::NeedsRequest),
                    Pick::Nobody => return None,
                }
            }
        };
        match candidate.service.poll_ready(cx) {
            Poll::Ready(Ok(())) => {
                candidate.stats.rest.end();
                return Some(Found::Ready);
            }
            Poll::Ready(Err(_)) => query.backends.lose(self.first.take().as_slice()),
            Poll::Pending => {
                let wait = self.wait.get_or_insert_default();
                if let Some(busy) = self.first.take() {
                    wait.wait_for(busy, query.backends);
                }
            }
        }
        None
    }

    #[inline(never)]
    fn poll_long<P, Req>(
        &mut self,
        query: &Query<'_, K, S, P, Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Found>
    where
        S: Service<Req>,
        P: Policy<Req>,
    {
        let wait = self.wait.get_or_insert_default();
        let found = ready!(wait.poll(query, &mut self.first, cx));
        // With it go the places in other lines.
        self.wait = None;
        Poll::Ready(found)
    }
}

impl<K, S> fmt::Debug for Search<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("waits", &self.wait.is_some())
            .finish_non_exhaustive()
    }
}
