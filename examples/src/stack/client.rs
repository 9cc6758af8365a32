use axum::http::Request;
use tower::Service;

use crate::BoxError;

/// A service that may be cloned, sent and shared, as an axum application's state is.
pub trait Client<R>:
    Service<Request<()>, Response = R, Error = BoxError, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<C, R> Client<R> for C where
    C: Service<Request<()>, Response = R, Error = BoxError, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}
