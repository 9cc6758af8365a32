use crate::policy::adaptive::{CHOICES, SCAN};
use crate::policy::{Pick, Policy};
use crate::view::{View, log2};

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
        view.least_by(SCAN, CHOICES, |place| {
            let calls = view.in_flight(place).saturating_add(1);
            log2(calls) - log2(view.weight(place)) + view.penalty(place)
        })
        .into()
    }
}
