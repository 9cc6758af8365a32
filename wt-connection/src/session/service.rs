use tower::load::TrackCompletion;

use crate::Session;

/// Counts a request as under way until its session is over.
///
/// tower's [`TrackCompletion`] for pools and balancers: what they hold for a request, a slot or a
/// share of the load, is held by the session ([`Session::hold`]).
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "its name alone is how it is used"
)]
pub struct CompleteOnClose;

impl<H: Send + 'static> TrackCompletion<H, http::Response<Session>> for CompleteOnClose {
    type Output = http::Response<Session>;

    fn track_completion(&self, handle: H, response: http::Response<Session>) -> Self::Output {
        response.body().hold(handle);
        response
    }
}
