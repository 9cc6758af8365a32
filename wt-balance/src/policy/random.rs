use crate::policy::{Pick, Policy};
use crate::view::View;

/// Any backend, each with the same chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Random;

impl<Req> Policy<Req> for Random {
    #[inline]
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        if view.is_empty() {
            return Pick::Nobody;
        }
        for _ in 0..TRIES {
            let place = fastrand::usize(..view.len());
            if view.is_usable(place) {
                return Pick::One(place);
            }
        }
        // Few are usable: these are counted.
        let usable = view.usable().count();
        if usable == 0 {
            return Pick::Nobody;
        }
        view.usable().nth(fastrand::usize(..usable)).into()
    }
}

/// How often it is drawn before it is counted.
const TRIES: usize = 4;
