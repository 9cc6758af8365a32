use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::census::Questions;
use crate::members::Subset;

/// What holds for all handles of one set of backends.
pub(crate) struct Settings<K> {
    pub(crate) patience: Duration,
    pub(crate) decay: Duration,
    pub(crate) overdue: Option<Duration>,
    pub(crate) rest: Duration,
    pub(crate) slow_start: Duration,
    pub(crate) subset: Option<Subset>,
    pub(crate) questions: Questions,
    pub(crate) weight: Option<Of<K, u32>>,
    pub(crate) priority: Option<Of<K, u8>>,
}

/// What a closure says of each key.
pub(crate) type Of<K, V> = Arc<dyn Fn(&K) -> V + Send + Sync>;

impl<K> Default for Settings<K> {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(5),
            decay: Duration::from_secs(10),
            overdue: None,
            rest: Duration::from_secs(4),
            slow_start: Duration::from_secs(10),
            subset: None,
            questions: Questions {
                panic_threshold: 0.0,
            },
            weight: None,
            priority: None,
        }
    }
}

impl<K> Clone for Settings<K> {
    fn clone(&self) -> Self {
        Self {
            patience: self.patience,
            decay: self.decay,
            overdue: self.overdue,
            rest: self.rest,
            slow_start: self.slow_start,
            subset: self.subset,
            questions: self.questions,
            weight: self.weight.clone(),
            priority: self.priority.clone(),
        }
    }
}

impl<K> fmt::Debug for Settings<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("patience", &self.patience)
            .field("decay", &self.decay)
            .field("overdue", &self.overdue)
            .field("rest", &self.rest)
            .field("slow_start", &self.slow_start)
            .field("subset", &self.subset)
            .field("questions", &self.questions)
            .finish_non_exhaustive()
    }
}
