//! Which backend a call goes to.

use crate::view::View;

mod adaptive;
mod least_latency;
mod least_requests;
mod memory;
mod pick_first;
mod random;
mod ring;
mod round_robin;
mod turn;
mod weighted;

pub use adaptive::Adaptive;
pub use least_latency::LeastLatency;
pub use least_requests::LeastRequests;
pub use pick_first::PickFirst;
pub use random::Random;
pub use ring::Ring;
pub use round_robin::RoundRobin;
pub use weighted::Weighted;

/// A rule by which one backend is picked for a call.
///
/// It is asked once for most calls; again, with the busy ones left out, until one is picked that is
/// ready. What it has to remember, it keeps in itself, behind atomics or a lock of its own; clones
/// are to share that, or the clones of a [`Balance`](crate::Balance) pick in step; a layer that
/// makes several balancers gives a clone to each, whose backends have [numbers](View::id) of their
/// own. A pick that panics reaches the caller, and harms nobody else.
///
/// ```
/// use wt_balance::{Pick, Policy, View};
///
/// /// The one that came last.
/// #[derive(Clone)]
/// struct Last;
///
/// impl<Req> Policy<Req> for Last {
///     fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
///         view.usable().last().into()
///     }
/// }
/// ```
pub trait Policy<Req> {
    /// Picks one of the usable backends.
    ///
    /// There is no request yet when the balancer is asked whether it is ready. A policy that goes
    /// by it answers [`Pick::NeedsRequest`] then, and is asked again with the request, in `call`.
    fn pick(&self, view: &View<'_>, request: Option<&Req>) -> Pick;
}

/// What a [`Policy`] picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pick {
    /// The backend at this place of the view, which is usable.
    One(usize),
    /// No backend is usable, or none of them is wanted.
    Nobody,
    /// It takes the request to say which.
    NeedsRequest,
}

impl From<Option<usize>> for Pick {
    fn from(place: Option<usize>) -> Self {
        place.map_or(Self::Nobody, Self::One)
    }
}
