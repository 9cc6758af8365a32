use std::fmt;

use tower::retry::Policy;

/// Chooses the policy of each call by its request.
///
/// For a service that is given the destination with each request, so that each destination has a
/// budget of its own:
///
/// ```
/// use wt_retry::backoff::Exponential;
/// use wt_retry::budget::{Budgets, RatioBudget};
/// use wt_retry::{PolicyFor, RetryLayer, StandardPolicy, Verdict};
///
/// let classify = |_: &String, result: Result<&(), &()>| match result {
///     Ok(()) => Verdict::Return,
///     Err(()) => Verdict::Retry,
/// };
/// let policy = StandardPolicy::new(classify, Exponential::default());
/// let budgets = Budgets::new(1024, RatioBudget::default);
/// let layer = RetryLayer::new(PolicyFor::new(move |target: &String| {
///     policy.clone().budget(budgets.get(target.clone()))
/// }));
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct PolicyFor<F, P> {
    choose: F,
    chosen: Option<P>,
    /// Whether the next request to be saved is that of a retry.
    retrying: bool,
}

impl<F, P> PolicyFor<F, P> {
    /// Asks `choose` once for each call.
    #[must_use]
    pub fn new<Req>(choose: F) -> Self
    where
        F: Fn(&Req) -> P,
    {
        Self {
            choose,
            chosen: None,
            retrying: false,
        }
    }

    /// The policy of the call of this clone, once it has begun.
    #[must_use]
    pub fn get_ref(&self) -> Option<&P> {
        self.chosen.as_ref()
    }
}

impl<F, P, Req, Res, E> Policy<Req, Res, E> for PolicyFor<F, P>
where
    F: Fn(&Req) -> P,
    P: Policy<Req, Res, E>,
{
    type Future = P::Future;

    fn retry(&mut self, req: &mut Req, result: &mut Result<Res, E>) -> Option<P::Future> {
        let wait = self.chosen.as_mut()?.retry(req, result);
        self.retrying = wait.is_some();
        wait
    }

    fn clone_request(&mut self, req: &Req) -> Option<Req> {
        // tower's `Retry` shows the first attempts of all calls to the same policy.
        if !self.retrying {
            self.chosen = None;
        }
        self.retrying = false;
        let chosen = self.chosen.get_or_insert_with(|| (self.choose)(req));
        chosen.clone_request(req)
    }
}

impl<F, P: fmt::Debug> fmt::Debug for PolicyFor<F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFor")
            .field("chosen", &self.chosen)
            .finish_non_exhaustive()
    }
}
