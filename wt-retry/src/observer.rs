use std::fmt;
use std::sync::Arc;

use crate::ended::Ended;

/// Who hears how calls ended, if somebody does.
pub(crate) struct Observer<P>(Option<Arc<Observe<P>>>);

type Observe<P> = dyn Fn(&P, Ended) + Send + Sync;

impl<P> Observer<P> {
    pub(crate) fn none() -> Self {
        Self(None)
    }

    pub(crate) fn new(observe: impl Fn(&P, Ended) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(crate) fn tell(&self, policy: &P, ended: Ended) {
        if let Some(observe) = &self.0 {
            observe(policy, ended);
        }
    }
}

impl<P> Clone for Observer<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> fmt::Debug for Observer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}
