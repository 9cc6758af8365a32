use crate::level::{Level, log2};
use crate::policy::adaptive::{CHOICES, SCAN};
use crate::policy::{Pick, Policy};
use crate::view::View;

/// The backend with the fewest calls under way in proportion to its weight; one that fails counts
/// as one that has many.
///
/// For backends that are alike, or calls that are long: sessions, streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastRequests;

impl<Req> Policy<Req> for LeastRequests {
    #[inline]
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        view.least(SCAN, CHOICES, Level::WORST, |_, slot| {
            let calls = slot.stats.calls.in_flight().saturating_add(1);
            let load = log2(calls).minus(slot.stats.log_weight());
            load.plus(view.penalty_of(slot))
        })
        .into()
    }
}
