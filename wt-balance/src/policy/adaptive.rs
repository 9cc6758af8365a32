use crate::level::Level;
use crate::members::Slot;
use crate::policy::{Pick, Policy};
use crate::view::{FEW, View};

/// The least loaded backend: by its latency, times the calls that it has under way plus one. The
/// default.
///
/// - The latency is a peak-sensitive moving average: it rises at once, and falls
///   [by and by](crate::BalanceLayer::decay), so that a slow backend is tried again. What differs
///   by less than a third or so counts as alike, since that much is chance.
/// - A failure is no fast answer, but makes its backend dearer: twice for the first, and the more
///   the larger the share of failures is. That wears off, too. One that only fails
///   [rests](crate::BalanceLayer::rest), and is tried at the end of that; one whose calls time out
///   now and then, while others succeed, does not.
/// - Weights divide the cost.
/// - Backends that have just come count as what is typical of the others until they have answered,
///   and get their share [slowly](crate::BalanceLayer::slow_start).
///
/// All backends are compared if they are few, or else some that are drawn by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    scan: u32,
    choices: u32,
}

impl Adaptive {
    /// With its defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scan: SCAN as u32,
            choices: CHOICES as u32,
        }
    }

    /// Sets up to how many backends all are compared. Default: 64.
    #[must_use]
    pub fn scan(self, scan: u32) -> Self {
        Self { scan, ..self }
    }

    /// Sets how many are compared of more. Default: 5.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn choices(self, choices: u32) -> Self {
        assert!(choices > 0, "there is nothing to choose from");
        Self { choices, ..self }
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self::new()
    }
}

impl<Req> Policy<Req> for Adaptive {
    #[inline]
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        let (scan, choices) = (self.scan as usize, self.choices as usize);
        if view.is_plain() && view.len() <= scan.min(FEW) {
            let place = view.least_loaded();
            if place.is_some() {
                return place.into();
            }
        }
        let place = if view.is_plain() {
            let load = |_, slot: &Slot| slot.stats.load();
            view.least(scan, choices, Level::WORST, load)
        } else {
            let load = |_, slot: &Slot| view.load_of(slot);
            view.least(scan, choices, Level::WORST, load)
        };
        place.into()
    }
}

/// Up to how many backends all are compared.
pub(crate) const SCAN: usize = 64;
/// How many are compared of more.
pub(crate) const CHOICES: usize = 5;
