use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::lock::Lock;
use crate::policy::memory::Memory;
use crate::policy::{Pick, Policy};
use crate::view::View;

/// Each backend in proportion to its weight, evenly spread and always in the same order: of the
/// weights 3 and 1, the second one is every fourth, neither early nor late.
///
/// A weight is 1 at first, and set by [`BalanceLayer::weight`](crate::BalanceLayer::weight) or
/// [`Balance::set_weight`](crate::Balance::set_weight); 0 is never, and all 0 is all alike. Clones
/// take turns together, behind a lock.
#[derive(Clone, Debug, Default)]
pub struct Weighted {
    turns: Memory<Lock<Turns>>,
}

impl Weighted {
    /// One that nobody has had a turn of.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<Req> Policy<Req> for Weighted {
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        self.turns
            .with(view, |turns| turns.lock().next(view))
            .into()
    }
}

/// When whose turn is: each backend's next is one stride after its last, and its stride is the
/// longer, the less it weighs.
#[derive(Debug, Default)]
struct Turns {
    queue: BinaryHeap<Reverse<Turn>>,
    /// Of the backends that are in the queue.
    version: u64,
    /// Theirs, by number.
    weights: BTreeMap<u64, u32>,
    now: u128,
}

/// In order of time, then of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: u128,
    id: u64,
}

impl Turns {
    fn next(&mut self, view: &View<'_>) -> Option<usize> {
        if self.version != view.version() {
            self.arrange(view);
            self.version = view.version();
        }
        // Those whose turn it is and who are not usable keep it.
        let mut kept = Vec::new();
        let mut picked = None;
        while let Some(Reverse(turn)) = self.queue.pop() {
            let place = place_of(view, turn.id);
            match place.filter(|place| view.is_usable(*place)) {
                None => kept.push(Reverse(turn)),
                Some(place) => {
                    self.now = self.now.max(turn.at);
                    // Who has been away does not catch up.
                    let at = self.now + stride(view.weight(place));
                    self.queue.push(Reverse(Turn { at, ..turn }));
                    picked = Some(place);
                    break;
                }
            }
        }
        self.queue.extend(kept);
        picked
    }

    /// Takes up who has come or changed its weight; who has not keeps its turn.
    fn arrange(&mut self, view: &View<'_>) {
        let known: BTreeMap<_, _> = self
            .queue
            .drain()
            .map(|turn| (turn.0.id, turn.0.at))
            .collect();
        let weights = std::mem::take(&mut self.weights);
        let mut new: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for place in 0..view.len() {
            let (id, weight) = (view.id(place), view.weight(place));
            match known.get(&id) {
                Some(at) if weights.get(&id) == Some(&weight) => {
                    self.queue.push(Reverse(Turn { at: *at, id }));
                }
                _ => new.entry(weight).or_default().push(id),
            }
            self.weights.insert(id, weight);
        }
        // Those that weigh the same are spread over their stride: they do not come all at once.
        for (weight, ids) in new {
            let step = stride(weight) / (2 * ids.len() as u128);
            for (n, id) in ids.into_iter().enumerate() {
                let at = self.now + step * (2 * n as u128 + 1);
                self.queue.push(Reverse(Turn { at, id }));
            }
        }
    }
}

/// The place of a number: they ascend.
fn place_of(view: &View<'_>, id: u64) -> Option<usize> {
    let (mut low, mut high) = (0, view.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if view.id(middle) < id {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low < view.len() && view.id(low) == id).then_some(low)
}

/// The time between two turns. 64 bits of it are behind the point, so that it is right for any
/// weight; it would take longer than the world exists until the sum overflows.
fn stride(weight: u32) -> u128 {
    (1_u128 << 64) / u128::from(weight.max(1))
}
