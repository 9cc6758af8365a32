use crate::policy::memory::Memory;
use crate::policy::turn::Turn;
use crate::policy::{Pick, Policy};
use crate::view::View;

/// One backend after the other, in the order of arrival, the first one first; weights do not count,
/// but for 0.
///
/// When backends come or go, it goes on after the one that was picked last. Clones take turns
/// together.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    turn: Memory<Turn>,
}

impl RoundRobin {
    /// One that begins with the first.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<Req> Policy<Req> for RoundRobin {
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        let next = |last| next(view, last);
        self.turn
            .with(view, |turn| turn.take(next, |place| view.id(place)))
            .into()
    }
}

/// The usable one that follows the backend with the number `last`, whether that is there or not.
fn next(view: &View<'_>, last: u64) -> Option<usize> {
    let start = after(view, last);
    let places = (start..view.len()).chain(0..start);
    places.into_iter().find(|place| view.is_usable(*place))
}

/// The first place whose number is greater than `last`: numbers ascend.
fn after(view: &View<'_>, last: u64) -> usize {
    let (mut low, mut high) = (0, view.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if view.id(middle) <= last {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
