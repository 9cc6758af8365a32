use crate::level::Level;
use crate::policy::{Pick, Policy};
use crate::view::View;

/// The least loaded backend: by its latency, times the calls that it has under way plus one. The
/// default.
///
/// - The latency is a peak-sensitive moving average: it rises at once, and falls
///   [by and by](crate::BalanceLayer::decay), so that a slow backend is tried again.
/// - A failure is no fast answer, but makes its backend dearer: five times for the first, up to a
///   thousand times if there are five in a row or every one of many is. That wears off, too.
/// - Weights divide the cost.
/// - Backends that have just come count as what is typical of the others until they have answered,
///   and get their share [slowly](crate::BalanceLayer::slow_start).
///
/// All backends are compared if they are few, or else some that are drawn by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    scan: usize,
    choices: usize,
}

impl Adaptive {
    /// With its defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scan: SCAN,
            choices: CHOICES,
        }
    }

    /// Sets up to how many backends all are compared. Default: 64.
    #[must_use]
    pub fn scan(self, scan: usize) -> Self {
        Self { scan, ..self }
    }

    /// Sets how many are compared of more. Default: 5.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn choices(self, choices: usize) -> Self {
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
        let place = if view.is_plain() {
            view.least(self.scan, self.choices, Level::WORST, |_, slot| {
                view.plain_load_of(slot)
            })
        } else {
            view.least(self.scan, self.choices, Level::WORST, |_, slot| {
                view.load_of(slot)
            })
        };
        place.into()
    }
}

/// Up to how many backends all are compared.
pub(crate) const SCAN: usize = 64;
/// How many are compared of more.
pub(crate) const CHOICES: usize = 5;
