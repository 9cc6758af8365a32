use crate::level::Level;
use crate::policy::adaptive::{CHOICES, SCAN};
use crate::policy::{Pick, Policy};
use crate::view::View;

/// The backend that answers fastest, whatever calls it has under way; failures count, and weights,
/// as for [`Adaptive`](crate::Adaptive).
///
/// For backends that no load makes slower: by itself, it spreads nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastLatency;

impl<Req> Policy<Req> for LeastLatency {
    #[inline]
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        view.least(SCAN, CHOICES, Level::WORST, |_, slot| view.cost_of(slot))
            .into()
    }
}
