/// Names one connection of a pool for good: a place that is used again has another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) generation: u64,
    place: usize,
}

/// Values by key; a key whose value was removed finds nothing, whatever has its place by now.
#[derive(Debug)]
pub(crate) struct Slots<V> {
    places: Vec<Option<(u64, V)>>,
    free: Vec<usize>,
}

impl<V> Slots<V> {
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts it in, by a generation greater than all before.
    pub(crate) fn insert(&mut self, generation: u64, value: V) -> Key {
        let filled = Some((generation, value));
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place] = filled;
                place
            }
            None => {
                self.places.push(filled);
                self.places.len() - 1
            }
        };
        Key { generation, place }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<V> {
        self.get(key)?;
        let (_, value) = self.places[key.place].take()?;
        self.free.push(key.place);
        if self.is_empty() {
            // What a peak has needed is not kept for good.
            self.places = Vec::new();
            self.free = Vec::new();
        }
        Some(value)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        match self.places.get_mut(key.place) {
            Some(Some((generation, value))) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&V> {
        match self.places.get(key.place) {
            Some(Some((generation, value))) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(place, filled)| {
            let (generation, value) = filled.as_ref()?;
            let generation = *generation;
            Some((Key { generation, place }, value))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_does_not_find_who_has_its_place_by_now() {
        let mut slots = Slots::new();
        let other = slots.insert(1, "other");
        let stale = slots.insert(2, "old");
        assert_eq!(slots.remove(stale), Some("old"));

        let new = slots.insert(3, "new");

        assert_eq!(new.place, stale.place);
        assert_eq!(slots.get(stale), None);
        assert_eq!(slots.get_mut(stale), None);
        assert_eq!(slots.remove(stale), None);
        assert_eq!(slots.get(new), Some(&"new"));
        assert_eq!((slots.len(), slots.get(other)), (2, Some(&"other")));
    }

    #[test]
    fn iteration_gives_each_key_with_its_value() {
        let mut slots = Slots::new();
        let keys = [
            slots.insert(1, "a"),
            slots.insert(2, "b"),
            slots.insert(3, "c"),
        ];
        slots.remove(keys[1]);

        let found: Vec<_> = slots.iter().collect();

        assert_eq!(found, [(keys[0], &"a"), (keys[2], &"c")]);
    }
}
