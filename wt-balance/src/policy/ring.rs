use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::hash::{hash_of, mix};
use crate::policy::{Pick, Policy};
use crate::view::View;

/// The same backend for the same key, which is taken from the request: consistent hashing.
///
/// Each backend draws a number for each key, and the highest wins; a backend's chance is in
/// proportion to its weight. When a backend leaves, its keys go to all the others, and no other key
/// moves; one that is busy, or failed in answer to the caller just now, is stood in for by the next
/// in the key's order. All clients with the same keys of backends agree.
///
/// A pick looks at each backend: 10 ns or so for each.
///
/// # Readiness
///
/// The request has to be there: a [`Balance`](crate::Balance) with this policy is always ready,
/// picks in `call`, and waits for the backend in the future of the call. Layers above that look at
/// readiness, to shed load say, see none of that.
///
/// ```
/// use wt_balance::{BalanceLayer, Ring};
///
/// let layer = BalanceLayer::new(["one", "two"])
///     .policy(Ring::new(|request: &http::Request<()>| request.uri().path().to_owned()));
/// # let _ = layer;
/// ```
pub struct Ring<F, T> {
    key: F,
    _key: PhantomData<fn() -> T>,
}

impl<F, T> Ring<F, T> {
    /// Takes the key of each request by `key`.
    #[must_use]
    pub fn new<Req>(key: F) -> Self
    where
        F: Fn(&Req) -> T,
        T: Hash,
    {
        Self {
            key,
            _key: PhantomData,
        }
    }
}

impl<F, T, Req> Policy<Req> for Ring<F, T>
where
    F: Fn(&Req) -> T,
    T: Hash,
{
    fn pick(&self, view: &View<'_>, request: Option<&Req>) -> Pick {
        let Some(request) = request else {
            return Pick::NeedsRequest;
        };
        let hash = hash_of(&(self.key)(request));
        let rank = |place: &usize| {
            let drawn = draw(mix(view.key_hash(*place), hash));
            drawn / f64::from(view.weight(*place))
        };
        let first = view.usable().min_by(|a, b| rank(a).total_cmp(&rank(b)));
        first.into()
    }
}

/// The time until something happens that happens once in a unit of time, by chance: the first of
/// several is each of them in proportion to how often it happens.
fn draw(hash: u64) -> f64 {
    let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln()
}

impl<F: Clone, T> Clone for Ring<F, T> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            _key: PhantomData,
        }
    }
}

impl<F, T> fmt::Debug for Ring<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}
