use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tower::load::CompleteOnResponse;
use tower_layer::Layer;

use crate::idle::Idle;
use crate::idle::tracker::Tracker;

/// Tells when a service has been left alone for too long, and does something about it, once.
///
/// The service stays what it is: its readiness, its answers and its errors. What is tracked is how
/// many calls are in flight, and when the last one began or ended; an idle period begins when the
/// last call ends, and ends with the next activity. When it has lasted for the limit, the action
/// runs; it does not run again until there was activity, and another such period.
///
/// Whatever is not a call counts if it is recorded by hand, through [`Idle::handle`]. What merely
/// keeps a connection alive, as PINGs do, is not activity.
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// use tokio::time::sleep;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use wt_pool::IdleLayer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let (sender, mut idle) = tokio::sync::mpsc::channel(1);
/// let action = move || drop(sender.try_send("nobody has called for a minute"));
/// let service = ServiceBuilder::new()
///     .layer(IdleLayer::new(Duration::from_secs(60), action))
///     .service(service_fn(|request: u32| async move { Ok::<_, Infallible>(request + 1) }));
/// let handle = service.handle();
///
/// assert_eq!(service.oneshot(1).await, Ok(2));
/// sleep(Duration::from_secs(50)).await;
/// handle.record();
/// sleep(Duration::from_secs(50)).await;
/// assert!(idle.try_recv().is_err());
/// sleep(Duration::from_secs(20)).await;
/// assert_eq!(idle.recv().await, Some("nobody has called for a minute"));
/// # }
/// ```
///
/// # Clone
///
/// Clones share the action; each service that a layer makes is tracked by itself.
#[derive(Clone)]
pub struct IdleLayer<Tc = CompleteOnResponse> {
    limit: Duration,
    action: Arc<dyn Fn() + Send + Sync>,
    completion: Tc,
}

impl IdleLayer {
    /// Runs `action` when the service has been idle for `limit`, in a task of its own.
    ///
    /// # Panics
    ///
    /// Panics if `limit` is zero.
    #[must_use]
    pub fn new(limit: Duration, action: impl Fn() + Send + Sync + 'static) -> Self {
        assert!(!limit.is_zero(), "every service would be idle");
        Self {
            limit,
            action: Arc::new(action),
            completion: CompleteOnResponse::default(),
        }
    }
}

impl<Tc> IdleLayer<Tc> {
    /// Sets how long a call is in flight: until `completion` drops what it is given
    /// ([`InFlight`](crate::InFlight)). By default that is when the response is there
    /// ([`CompleteOnResponse`]).
    #[must_use]
    pub fn completion<N>(self, completion: N) -> IdleLayer<N> {
        IdleLayer {
            limit: self.limit,
            action: self.action,
            completion,
        }
    }
}

impl<S, Tc: Clone> Layer<S> for IdleLayer<Tc> {
    type Service = Idle<S, Tc>;

    fn layer(&self, service: S) -> Self::Service {
        let tracker = Tracker::new(self.limit, Arc::clone(&self.action));
        if Handle::try_current().is_ok() {
            tracker.watch();
        }
        Idle::new(service, tracker, self.completion.clone())
    }
}

impl<Tc> fmt::Debug for IdleLayer<Tc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleLayer")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
