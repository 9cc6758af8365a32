use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::Arc;

use tokio::time::Instant;
use tower::discover::Discover;

use crate::builder::MonitorBuilder;
use crate::core::Core;
use crate::discover::HealthDiscover;
use crate::event::Events;
use crate::force::Override;
use crate::handle::{Alive, Handle};
use crate::layer::HealthLayer;
use crate::snapshot::{Snapshot, State};
use crate::watch::Watch;

/// Judges the backends of a fleet, each known by its key; see the [crate docs](crate).
///
/// # Clone
///
/// Clones are handles on the same fleet, as are the layers, services and watches that it makes. Its
/// task, and the probes under way, end with the last of them.
pub struct Monitor<K> {
    core: Arc<Core<K>>,
    alive: Alive,
}

impl<K> Monitor<K> {
    /// One with the default settings, and without probes.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with timers.
    #[must_use]
    pub fn new() -> Self
    where
        K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    {
        Self::builder().build()
    }

    /// One with other settings.
    pub fn builder() -> MonitorBuilder<K> {
        MonitorBuilder::new()
    }

    pub(crate) fn of(core: Arc<Core<K>>, alive: Alive) -> Self {
        Self { core, alive }
    }
}

impl<K> Monitor<K>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
{
    /// The layer of one backend.
    ///
    /// The backend belongs to the fleet, and is probed, as long as anybody has the layer, a clone
    /// of it, or a service that one of them made. What is known of it stays with its key: if it was
    /// ejected, so is the next one with this key, until nothing is left to be remembered.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is stored, if it is a new one"
    )]
    #[must_use = "the backend belongs to the fleet as long as the layer or its services live"]
    pub fn layer(&self, key: K) -> HealthLayer {
        let (_, handle) = self.core.hold(&key, &self.alive);
        HealthLayer::new(handle)
    }

    /// Gives each discovered service a layer of its key, and takes that back when it leaves.
    #[must_use]
    pub fn discover<D>(&self, discover: D) -> HealthDiscover<D>
    where
        D: Discover<Key = K>,
    {
        HealthDiscover::new(discover, self.clone())
    }

    /// Watches one backend until it is no longer well.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is stored, if it is a new one"
    )]
    pub fn watch(&self, key: K) -> Watch {
        let (entry, handle) = self.core.hold(&key, &self.alive);
        Watch::new(&self.core, entry, handle)
    }

    /// The events from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events<K> {
        Events::new(self.core.events.subscribe())
    }

    /// How all backends are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<K> {
        Snapshot::of(&self.core)
    }

    /// A layer by a handle of its own, and that handle.
    pub(crate) fn lease(&self, key: &K) -> (HealthLayer, Arc<Handle>) {
        let handle = self.core.lease(key, &self.alive);
        (HealthLayer::new(Arc::clone(&handle)), handle)
    }

    /// How one backend is now; `None` if it is not known.
    #[must_use]
    pub fn state(&self, key: &K) -> Option<State> {
        let id = self.core.find(key)?.cell.id;
        self.core.look(|fleet| State::of_id(fleet, id))
    }

    /// Puts an operator's word before all verdicts on one backend, or takes it back (`None`); says
    /// whether the backend is known.
    ///
    /// It stays until it is taken back, whoever has the backend meanwhile.
    pub fn set_override(&self, key: &K, force: impl Into<Option<Override>>) -> bool {
        let Some(entry) = self.core.find(key) else {
            return false;
        };
        let force = force.into();
        let now = Instant::now();
        self.core
            .act(|fleet, actions| fleet.force(entry.cell.id, force, now, actions))
    }

    /// Removes a backend from the fleet, whoever has it, layers, services, watches, and
    /// [those that discover](Self::discover) it; says whether it was there.
    ///
    /// It is probed no more, and counts no more for any limit; its watches end; its layers and
    /// services let everything pass. What is known of it is remembered for the next one with this
    /// key.
    pub fn remove(&self, key: &K) -> bool {
        let entry = self.core.find(key);
        entry.is_some_and(|entry| self.core.retire(&entry))
    }
}

impl<K> Default for Monitor<K>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
{
    /// See [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Clone for Monitor<K> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            alive: Arc::clone(&self.alive),
        }
    }
}

impl<K> Debug for Monitor<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}
