/// Names one connection of a target for good: a place that is used again has another generation.
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
    generations: u64,
}

impl<V> Slots<V> {
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            generations: 0,
        }
    }

    pub(crate) fn insert(&mut self, value: V) -> Key {
        self.generations += 1;
        let filled = Some((self.generations, value));
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
        Key {
            generation: self.generations,
            place,
        }
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
        let other = slots.insert("other");
        let stale = slots.insert("old");
        assert_eq!(slots.remove(stale), Some("old"));

        let new = slots.insert("new");

        assert_eq!(new.place, stale.place);
        assert_eq!(slots.get(stale), None);
        assert_eq!(slots.get_mut(stale), None);
        assert_eq!(slots.remove(stale), None);
        assert_eq!(slots.get(new), Some(&"new"));
        assert_eq!((slots.len(), slots.get(other)), (2, Some(&"other")));
    }

    #[test]
    fn generations_go_on_after_all_are_gone() {
        let mut slots = Slots::new();
        let stale = slots.insert("old");
        slots.remove(stale);
        assert!(slots.is_empty());

        let new = slots.insert("new");

        assert!(new > stale);
        assert_eq!(slots.get(stale), None);
    }

    #[test]
    fn iteration_gives_each_key_with_its_value() {
        let mut slots = Slots::new();
        let keys = [slots.insert("a"), slots.insert("b"), slots.insert("c")];
        slots.remove(keys[1]);

        let found: Vec<_> = slots.iter().collect();

        assert_eq!(found, [(keys[0], &"a"), (keys[2], &"c")]);
    }
}
