//! A streak that threads share.

// The crate's: std's there, loom's in its test.
use crate::atomic::{AtomicU64, Ordering};
use crate::lock::Lock;
use crate::streak::Streak;

/// Who changes it has it to himself, as failures are rare; a pick, and a call that succeeds, read
/// one word, which always tells what was changed last.
// The word stays where it is put, beside what else a pick reads.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SharedStreak {
    /// 0 without failures; or else until when the backend rests, but for the lowest bit, which is
    /// set.
    word: AtomicU64,
    streak: Lock<Streak>,
}

impl SharedStreak {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            streak: Lock::new(Streak::default()),
        }
    }

    /// Nobody else changes it meanwhile.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Streak) -> T) -> T {
        let mut streak = self.streak.lock();
        let changed = change(&mut streak);
        let word = match streak.failures {
            0 => 0,
            _ => streak.until | FAILS,
        };
        self.word.store(word, Ordering::Relaxed);
        changed
    }

    pub(crate) fn get(&self) -> Streak {
        *self.streak.lock()
    }

    /// Whether a call has failed, and none has succeeded since.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// Until when the backend rests; 0 if it does not.
    #[inline]
    pub(crate) fn until(&self) -> u64 {
        self.word.load(Ordering::Relaxed) & !FAILS
    }
}

const FAILS: u64 = 1;
