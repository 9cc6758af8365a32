use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project::pin_project;
use tower::discover::{Change, Discover};
use tower_layer::Layer;

use crate::classify::ByError;
use crate::handle::Handle;
use crate::layer::HealthLayer;
use crate::monitor::Monitor;
use crate::service::Health;

/// Gives each discovered service a layer of its key, and with it its probes, until it leaves; made
/// by [`Monitor::discover`].
///
/// It is a [`Discover`] itself, whatever balancer stands on it.
///
/// A backend that leaves belongs to the fleet by this discovery no more, whoever still has a
/// service of it; if another discovery, a layer or a watch has it, it stays by that. Once nobody
/// has it, its services let everything pass.
#[pin_project]
pub struct HealthDiscover<D: Discover, C = ByError> {
    #[pin]
    discover: D,
    monitor: Monitor<D::Key>,
    classify: C,
    overdue: Option<Duration>,
    /// Of those that have been discovered, and have not left.
    leases: HashMap<D::Key, Weak<Handle>>,
}

impl<D: Discover> HealthDiscover<D> {
    pub(crate) fn new(discover: D, monitor: Monitor<D::Key>) -> Self {
        Self {
            discover,
            monitor,
            classify: ByError,
            overdue: None,
            leases: HashMap::new(),
        }
    }
}

impl<D: Discover, C> HealthDiscover<D, C> {
    /// Sets what the outcome of a call says about its backend; see
    /// [`HealthLayer::classify`](crate::HealthLayer::classify).
    #[must_use]
    pub fn classify<N>(self, classify: N) -> HealthDiscover<D, N> {
        HealthDiscover {
            discover: self.discover,
            monitor: self.monitor,
            classify,
            overdue: self.overdue,
            leases: self.leases,
        }
    }

    /// Sets after how long a call that is dropped without an answer is a failure; see
    /// [`HealthLayer::overdue`](crate::HealthLayer::overdue).
    #[must_use]
    pub fn overdue(mut self, overdue: Option<Duration>) -> Self {
        self.overdue = overdue;
        self
    }
}

impl<D, C> Stream for HealthDiscover<D, C>
where
    D: Discover,
    D::Key: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    C: Clone,
{
    type Item = Result<Change<D::Key, Health<D::Service, C>>, D::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let change = match ready!(this.discover.poll_discover(cx)) {
            Some(Ok(change)) => change,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(match change {
            Change::Insert(key, service) => {
                let (layer, lease) = this.monitor.lease(&key);
                let old = this.leases.insert(key.clone(), Arc::downgrade(&lease));
                end(old);
                let layer: HealthLayer<_> = layer.classify(this.classify.clone());
                Change::Insert(key, layer.overdue(*this.overdue).layer(service))
            }
            Change::Remove(key) => {
                end(this.leases.remove(&key));
                Change::Remove(key)
            }
        })))
    }
}

/// Ends a lease, unless it has ended.
fn end(lease: Option<Weak<Handle>>) {
    if let Some(lease) = lease.and_then(|lease| lease.upgrade()) {
        lease.end();
    }
}

impl<D: Discover + Debug, C> Debug for HealthDiscover<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthDiscover")
            .field("discover", &self.discover)
            .field("overdue", &self.overdue)
            .finish_non_exhaustive()
    }
}
