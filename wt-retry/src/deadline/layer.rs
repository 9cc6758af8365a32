use std::time::Duration;

use tower_layer::Layer;

use crate::deadline::service::Deadline;
use crate::mark::Unmarked;

/// Bounds a call and its wait for readiness; see [`Deadline`].
///
/// A `load_shed` of tower's belongs above this layer, with a limit of concurrency between them, and
/// needs it: it sheds each call for which what is below is not ready at that very moment, and a
/// balancer is not while its first connections are being made. A [`Deadline`] always is, and
/// waits.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer<M = Unmarked> {
    limit: Duration,
    mark: M,
}

impl DeadlineLayer {
    /// Gives each call so long.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            mark: Unmarked,
        }
    }
}

impl<M> DeadlineLayer<M> {
    /// How the deadline travels in the request. Default: [`Unmarked`].
    ///
    /// With it, layers below know it; one that the request has already is kept if it is earlier.
    #[must_use]
    pub fn marks<N>(self, mark: N) -> DeadlineLayer<N> {
        DeadlineLayer {
            limit: self.limit,
            mark,
        }
    }
}

impl<S, M: Clone> Layer<S> for DeadlineLayer<M> {
    type Service = Deadline<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadline {
            inner,
            limit: self.limit,
            mark: self.mark.clone(),
        }
    }
}
