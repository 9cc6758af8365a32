use std::time::Duration;

use crate::candidate::Candidate;
use crate::common::Common;
use crate::members::Members;

/// Who was called last, and how often it had failed by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    /// 0 is nobody.
    id: u64,
    failures: u32,
    /// Where it was then.
    place: u32,
}

impl Last {
    pub(crate) const NOBODY: Self = Self {
        id: 0,
        failures: 0,
        place: 0,
    };

    #[inline]
    pub(crate) fn new<K, S>(candidate: &Candidate<K, S>) -> Self {
        Self {
            id: candidate.stats.id,
            failures: candidate.stats.failures() as u32,
            place: candidate.place,
        }
    }

    /// Its number, if it has failed since, not long ago, and is there still; or 0.
    #[inline]
    pub(crate) fn failed_since<K, S>(self, members: &Members<K, S>, common: &Common) -> u64 {
        if let Some(slot) = members.slots.get(self.place as usize)
            && slot.stats.id == self.id
            && slot.stats.failures() as u32 == self.failures
        {
            return 0;
        }
        self.look(members, common)
    }

    /// As [`failed_since`](Self::failed_since), wherever it is now.
    #[cold]
    fn look<K, S>(self, members: &Members<K, S>, common: &Common) -> u64 {
        if self.id == 0 {
            return 0;
        }
        let Some(slot) = members.slot(self.id) else {
            return 0;
        };
        let failed = slot.stats.failures() as u32 != self.failures;
        let until = slot.stats.failed_at().after(AVOIDED);
        if failed && common.past() < until && common.now() < until {
            self.id
        } else {
            0
        }
    }
}

/// How long a backend is avoided after it has failed: longer than a retry waits, and not for ever,
/// as a handle may be cloned for each call and never be called itself.
const AVOIDED: Duration = Duration::from_secs(5);
