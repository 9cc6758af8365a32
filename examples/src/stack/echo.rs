use axum::http::Response;
use wt_connection::Session;

use crate::{BoxError, echo};

/// A call that may be made again: a kibibyte goes there and back, and the session is closed.
///
/// # Errors
///
/// Fails if something else comes back, or nothing.
pub async fn echo(response: Response<Session>) -> Result<(), BoxError> {
    let session = response.into_body();
    echo::bi(&session, &[7; 1024]).await?;
    session.close(0, "");
    Ok(())
}
