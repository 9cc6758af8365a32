use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::classify::ByError;
use crate::handle::Handle;
use crate::seat::Seat;
use crate::service::Health;

/// Keeps calls from one backend while it is ejected, and records what comes of them; made by
/// [`Monitor::layer`](crate::Monitor::layer). See the [crate docs](crate).
///
/// Clones, and the services that it makes, are of the same backend.
#[derive(Clone)]
pub struct HealthLayer<C = ByError> {
    handle: Arc<Handle>,
    classify: C,
    overdue: Option<Duration>,
}

impl HealthLayer {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        Self {
            handle,
            classify: ByError,
            overdue: None,
        }
    }
}

impl<C> HealthLayer<C> {
    /// Sets what the outcome of a call says about the backend: a
    /// [`Classify`](crate::Classify), any `Fn(Result<&R, &E>) -> Outcome` for one. Default:
    /// [`ByError`].
    #[must_use]
    pub fn classify<N>(self, classify: N) -> HealthLayer<N> {
        HealthLayer {
            handle: self.handle,
            classify,
            overdue: self.overdue,
        }
    }

    /// Sets after how long a call that is dropped without an answer is a failure. Default: `None`,
    /// such a call says nothing.
    ///
    /// For stacks whose only timeout stands above this layer: it drops the call, as one does who
    /// has lost interest. The time is taken by a clock that is late by up to 125 ms, or for as long
    /// as the runtime is held up: a call may be taken to have lasted so much longer than it has.
    #[must_use]
    pub fn overdue(mut self, overdue: Option<Duration>) -> Self {
        self.overdue = overdue;
        self
    }
}

impl<S, C: Clone> Layer<S> for HealthLayer<C> {
    type Service = Health<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let handle = Arc::clone(&self.handle);
        Health::new(
            inner,
            Seat::new(handle),
            self.classify.clone(),
            self.overdue,
        )
    }
}

impl<C> fmt::Debug for HealthLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthLayer")
            .field("overdue", &self.overdue)
            .finish_non_exhaustive()
    }
}
