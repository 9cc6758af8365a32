use std::sync::{Arc, OnceLock, Weak};

use crate::common::Common;
use crate::lock::Lock;
use crate::view::View;

/// What a policy remembers of each priority of each set of backends that it picks from: a layer
/// that makes several balancers gives its policy to all of them. Clones share it.
#[derive(Debug)]
pub(crate) struct Memory<T>(Arc<Known<T>>);

#[derive(Debug)]
struct Known<T> {
    /// There are no others, most often.
    first: OnceLock<(Of, T)>,
    others: Lock<Vec<(Of, Arc<T>)>>,
}

/// A priority of a set.
#[derive(Debug)]
struct Of {
    set: Weak<Common>,
    priority: u8,
}

impl<T: Default> Memory<T> {
    /// Has `act` use what is remembered of those that the view shows.
    #[inline]
    pub(crate) fn with<R>(&self, view: &View<'_>, act: impl FnOnce(&T) -> R) -> R {
        let (of, memory) = self.0.first.get_or_init(|| (Of::new(view), T::default()));
        if of.is(view) {
            return act(memory);
        }
        act(&self.other(view))
    }

    #[cold]
    fn other(&self, view: &View<'_>) -> Arc<T> {
        let mut others = self.0.others.lock();
        if let Some((_, memory)) = others.iter().find(|(of, _)| of.is(view)) {
            return Arc::clone(memory);
        }
        // Nothing is remembered of sets that are no more.
        others.retain(|(of, _)| of.set.strong_count() > 0);
        let memory = Arc::default();
        others.push((Of::new(view), Arc::clone(&memory)));
        memory
    }
}

impl Of {
    fn new(view: &View<'_>) -> Self {
        Self {
            set: Arc::downgrade(view.set()),
            priority: view.priority(),
        }
    }

    #[inline]
    fn is(&self, view: &View<'_>) -> bool {
        self.set.as_ptr() == Arc::as_ptr(view.set()) && self.priority == view.priority()
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Arc::new(Known {
            first: OnceLock::new(),
            others: Lock::default(),
        }))
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
