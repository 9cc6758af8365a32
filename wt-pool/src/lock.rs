use std::hint::spin_loop;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A mutex for state that no panic can leave half changed: no caller's code runs under it.
///
/// To lend or take back, it is held for some ten nanoseconds, less than it takes to move what it
/// guards from core to core; to count thousands of connections, for far longer. Who finds it held
/// keeps away for as long as several turns take, so that its holder goes on with what is in its
/// cache, rather than each waiting for the other's; and sleeps if that does not help.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.try_lock().unwrap_or_else(|| self.lock_later())
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn lock_later(&self) -> MutexGuard<'_, T> {
        for pauses in PAUSES {
            for _ in 0..pauses {
                spin_loop();
            }
            if let Some(guard) = self.try_lock() {
                return guard;
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About one microsecond, two, and four, where a pause is some hundred cycles; less where it is
/// less.
const PAUSES: [u32; 3] = [32, 64, 128];

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn a_panic_under_the_lock_keeps_nobody_out() {
        let mut lock = Lock::new(1);

        let panicked = catch_unwind(|| {
            let _guard = lock.lock();
            panic!("a panic on purpose");
        });

        assert!(panicked.is_err());
        assert_eq!(*lock.lock(), 1);
        assert_eq!(*lock.get_mut(), 1);
    }

    #[test]
    fn who_finds_it_held_for_long_sleeps_until_it_is_not() {
        let lock = Arc::new(Lock::new(1));
        let guard = lock.lock();
        let (other, (tell, told)) = (Arc::clone(&lock), mpsc::channel());
        let late = thread::spawn(move || {
            tell.send(()).unwrap();
            let mut guard = other.lock_later();
            *guard += 1;
            *guard
        });
        told.recv().unwrap();
        for _ in 0..100_000 {
            spin_loop();
        }

        assert_eq!(*guard, 1);
        drop(guard);

        assert_eq!(late.join().unwrap(), 2);
    }
}
