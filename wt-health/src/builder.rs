use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use crate::combine::Combine;
use crate::core::Core;
use crate::driver::Driver;
use crate::fleet::Rules;
use crate::monitor::Monitor;
use crate::outlier::Outlier;
use crate::probe::Probes;

/// The settings of a [`Monitor`]; made by [`Monitor::builder`].
#[must_use = "it does nothing unless built"]
pub struct MonitorBuilder<K> {
    rules: Rules,
    probes: Option<Probes<K>>,
}

impl<K> MonitorBuilder<K> {
    pub(crate) fn new() -> Self {
        Self {
            rules: Rules::default(),
            probes: None,
        }
    }

    /// Sets when calls eject a backend, and for how long. Default: [`Outlier::default`].
    pub fn outlier(mut self, outlier: Outlier) -> Self {
        self.rules.outlier = outlier;
        self
    }

    /// Sets how backends are probed. Default: they are not.
    pub fn probes(mut self, probes: Probes<K>) -> Self {
        self.rules.probes = Some(probes.rules);
        self.probes = Some(probes);
        self
    }

    /// Sets how what calls and probes say make one answer. Default:
    /// [`Combine::PassiveEjectsActiveRestores`].
    pub fn combine(mut self, combine: Combine) -> Self {
        self.rules.combine = combine;
        self
    }

    /// Sets how many backends in a hundred may be out: if more are, though one always may be, all
    /// are in rotation, until no more are. Default: 50; `None` is any number.
    ///
    /// When most seem to fail, it is rather the judgement that fails, or what all have in common;
    /// and what is left would not bear the load of all. Those that an [`Override`](crate::Override)
    /// keeps out stay out, and those that have never been [proved](crate::probe::Initial::Down);
    /// neither are counted.
    ///
    /// # Panics
    ///
    /// Panics if it is above 100.
    pub fn panic_threshold(mut self, percent: Option<u8>) -> Self {
        assert!(
            percent.is_none_or(|percent| percent <= 100),
            "there are 100 in a hundred"
        );
        self.rules.panic = percent;
        self
    }

    /// The monitor, and its task.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with timers, and if both are to agree
    /// ([`Combine::BothEject`]) and there are no probes.
    #[must_use]
    pub fn build(self) -> Monitor<K>
    where
        K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    {
        assert!(
            self.rules.combine != Combine::BothEject || self.probes.is_some(),
            "calls and probes cannot agree without probes"
        );
        let interval = self.rules.outlier.interval;
        let core = Core::new(self.rules);
        let driver = Driver::new(Arc::clone(&core), interval, self.probes);
        let task = AbortOnDropHandle::new(tokio::spawn(driver.run()));
        Monitor::of(core, Arc::new(task))
    }
}

impl<K> Debug for MonitorBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorBuilder")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
