use std::fmt;
use std::sync::Weak;

use crate::backends::Backends;
use crate::snapshot::Snapshot;

/// The figures of a balancer's backends, whatever these are: a handle with nothing but their key in
/// its type, for whoever keeps it beside a client that the balancer is somewhere inside of; see
/// [`Balance::figures`](crate::Balance::figures).
///
/// It keeps neither the balancer nor its backends. Clones show the same.
///
/// ```
/// use tower::load_shed::LoadShed;
/// use tower::{Layer, ServiceBuilder, service_fn};
/// use wt_balance::{BalanceLayer, Figures};
///
/// struct Client<S> {
///     service: S,
///     figures: Figures<&'static str>,
/// }
///
/// let backend = |target| service_fn(move |(): ()| async move { Ok::<_, std::io::Error>(target) });
/// let balance = BalanceLayer::new(["one", "two"]).layer(backend);
/// let client = Client {
///     figures: balance.figures(),
///     service: ServiceBuilder::new().load_shed().service(balance),
/// };
///
/// assert_eq!(client.figures.snapshot().known, 2);
/// # let _: LoadShed<_> = client.service;
/// ```
pub struct Figures<K>(Weak<dyn Look<K> + Send + Sync>);

impl<K> Figures<K> {
    pub(crate) fn new<S>(backends: Weak<Backends<K, S>>) -> Self
    where
        K: Clone + Send + Sync + 'static,
        S: Send + 'static,
    {
        Self(backends)
    }

    /// What is known of the backends, at about this moment: that there are none, once the last
    /// handle on the balancer is gone.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<K> {
        self.0
            .upgrade()
            .map_or_else(Snapshot::empty, |backends| backends.look())
    }
}

impl<K> Clone for Figures<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for Figures<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

/// What the handle sees of its balancer's backends.
trait Look<K> {
    fn look(&self) -> Snapshot<K>;
}

impl<K: Clone, S> Look<K> for Backends<K, S> {
    fn look(&self) -> Snapshot<K> {
        Snapshot::of(self)
    }
}
