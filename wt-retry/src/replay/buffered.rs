use http::Request;

use crate::replay::{Replay, ReplayBody};

/// Keeps a request whose body is a [`ReplayBody`]: sent again while the body fits into its limit,
/// else sent once.
///
/// With the feature `http`.
///
/// The bodies are put in by a layer above:
///
/// ```
/// use http::Request;
/// use http_body_util::Full;
/// use tower::ServiceBuilder;
/// use wt_retry::backoff::Exponential;
/// use wt_retry::replay::{Buffered, ReplayBody};
/// use wt_retry::{RetryLayer, StandardPolicy, Verdict};
///
/// type Sent = Request<ReplayBody<Full<&'static [u8]>>>;
///
/// let classify = |_: &Sent, result: Result<&(), &&str>| match result {
///     Ok(()) => Verdict::Return,
///     Err(_) => Verdict::Retry,
/// };
/// let policy = StandardPolicy::new(classify, Exponential::default()).replay(Buffered);
/// let client = ServiceBuilder::new()
///     .map_request(|request: Request<_>| request.map(|body| ReplayBody::new(body, 64 * 1024)))
///     .layer(RetryLayer::new(policy))
///     .service_fn(async |request: Sent| Ok::<_, &str>(drop(request)));
/// # use tower::ServiceExt;
/// # let _ = client.oneshot(Request::new(Full::from(&b"hello"[..])));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit struct is written as it is"
)]
pub struct Buffered;

impl<B> Replay<Request<ReplayBody<B>>> for Buffered {
    fn save(&self, request: &Request<ReplayBody<B>>) -> Option<Request<ReplayBody<B>>> {
        let mut saved = Request::new(request.body().again()?);
        saved.method_mut().clone_from(request.method());
        saved.uri_mut().clone_from(request.uri());
        *saved.version_mut() = request.version();
        saved.headers_mut().clone_from(request.headers());
        saved.extensions_mut().clone_from(request.extensions());
        Some(saved)
    }

    fn can_resend(&self, saved: &Request<ReplayBody<B>>) -> bool {
        saved.body().is_whole()
    }

    fn resend(&self, saved: &Request<ReplayBody<B>>) -> bool {
        saved.body().take_over()
    }
}
