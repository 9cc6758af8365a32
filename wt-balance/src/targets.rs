use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use crate::lock::Lock;

/// The list of targets of a [`BalanceLayer`](crate::BalanceLayer): what its balancers know, now and
/// after each change.
///
/// A change is there when its method returns: the next pick knows it. A target that stays keeps its
/// backend, its place and its figures; one that is removed finishes the calls that it has.
///
/// # Clone
///
/// Clones are handles on the same list.
pub struct Targets<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    list: ArcSwap<List<T>>,
    followers: Lock<Vec<Weak<dyn Follow<T>>>>,
}

/// A list as it is between two changes.
#[derive(Debug)]
pub(crate) struct List<T> {
    /// Greater than those of all lists before it; never 0.
    pub(crate) version: u64,
    /// None twice.
    pub(crate) targets: Vec<T>,
}

/// Somebody who is to know of each change of a list.
pub(crate) trait Follow<T>: Send + Sync {
    fn follow(&self, targets: &Targets<T>);
}

impl<T> Targets<T> {
    /// No target is in the list twice.
    pub(crate) fn of(targets: Vec<T>) -> Self {
        let inner = Inner {
            list: ArcSwap::from_pointee(List {
                version: 1,
                targets,
            }),
            followers: Lock::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn list(&self) -> Arc<List<T>> {
        self.inner.list.load_full()
    }

    pub(crate) fn add_follower(&self, follower: Weak<dyn Follow<T>>) {
        let mut followers = self.inner.followers.lock();
        followers.retain(|follower| follower.strong_count() > 0);
        followers.push(follower);
    }

    fn tell(&self) {
        let followers = self.inner.followers.lock().clone();
        for follower in followers.iter().filter_map(Weak::upgrade) {
            follower.follow(self);
        }
    }
}

impl<T: Clone + Eq + Hash> Targets<T> {
    pub(crate) fn new(targets: impl IntoIterator<Item = T>) -> Self {
        Self::of(distinct(targets))
    }

    /// Adds a target, as the last one. Says whether it was not there.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "as a set takes what is put into it"
    )]
    pub fn insert(&self, target: T) -> bool {
        let mut new = false;
        self.change(|list| {
            new = !list.contains(&target);
            if new {
                list.push(target.clone());
            }
        });
        new
    }

    /// Removes a target. Says whether it was there.
    ///
    /// The last one may be removed, too: calls wait then, and fail with
    /// [`Unavailable::Empty`](crate::Unavailable::Empty) in the end.
    pub fn remove(&self, target: &T) -> bool {
        let mut known = false;
        self.change(|list| {
            let before = list.len();
            list.retain(|known| known != target);
            known = list.len() < before;
        });
        known
    }

    /// Has these targets in place of all.
    pub fn replace(&self, targets: impl IntoIterator<Item = T>) {
        let targets = distinct(targets);
        self.change(|list| list.clone_from(&targets));
    }

    /// Nothing is locked: it is done again if somebody else was faster.
    fn change(&self, mut change: impl FnMut(&mut Vec<T>)) {
        self.inner.list.rcu(|list| {
            let mut targets = list.targets.clone();
            change(&mut targets);
            let version = list.version + u64::from(targets != list.targets);
            List { version, targets }
        });
        self.tell();
    }
}

/// Each once, where it is first.
fn distinct<T: Clone + Eq + Hash>(targets: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    let targets = targets.into_iter();
    targets
        .filter(|target| seen.insert(target.clone()))
        .collect()
}

impl<T> Clone for Targets<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Targets<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Targets")
            .field(&self.list().targets)
            .finish()
    }
}
