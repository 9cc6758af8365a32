use std::collections::BTreeSet;

/// The handles by which somebody has a backend: mostly one, which takes no memory elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// None only if there are no others.
    one: Option<u64>,
    others: BTreeSet<u64>,
}

impl Holders {
    pub(crate) fn add(&mut self, handle: u64) {
        if self.one.is_none() {
            self.one = Some(handle);
        } else {
            self.others.insert(handle);
        }
    }

    pub(crate) fn remove(&mut self, handle: u64) {
        if self.one == Some(handle) {
            self.one = self.others.pop_first();
        } else {
            self.others.remove(&handle);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.one.is_none()
    }

    pub(crate) fn has(&self, handle: u64) -> bool {
        self.one == Some(handle) || self.others.contains(&handle)
    }

    /// Whether this one is there, and no other.
    pub(crate) fn is_last(&self, handle: u64) -> bool {
        self.one == Some(handle) && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_may_be_the_last() {
        for last in 1..=3 {
            let mut holders = Holders::default();
            assert!(holders.is_empty());
            (1..=3).for_each(|handle| holders.add(handle));
            assert!(!holders.is_last(last));

            (1..=3).filter(|handle| *handle != last).for_each(|handle| {
                holders.remove(handle);
                holders.remove(handle);
            });

            assert!(holders.is_last(last) && !holders.is_last(4));
            holders.remove(last);
            assert!(holders.is_empty());
        }
    }
}
