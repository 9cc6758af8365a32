use tower::ServiceExt;
use wt_connection::{Connection, Connector, Session, Target};
use wt_health::probe::Probes;

use crate::BoxError;

/// Connects, and opens a session at a path: the server's application answers.
#[must_use]
pub fn session(connector: Connector, path: &'static str) -> Probes<Target> {
    Probes::from_fn(move |target| {
        let connector = connector.clone();
        async move {
            let (_connection, session) = opened(connector, target, path).await?;
            session.close(0, "");
            Ok::<_, BoxError>(())
        }
    })
}

/// A connection, and a session on it.
pub(crate) async fn opened(
    connector: Connector,
    target: Target,
    path: &str,
) -> Result<(Connection, Session), BoxError> {
    let connection = connector.oneshot(target).await?;
    let session = connection.open(path).await?;
    Ok((connection, session))
}
