use std::time::Duration;

use wt_connection::Connection;
use wt_health::probe::Probes;

use crate::BoxError;

/// Has the peer answer, over a connection that there is already.
///
/// `find` knows the connection of each backend. A backend that has none has failed, for there is
/// nobody to be asked: where connections come and go, let it be one that is kept for this. So has
/// one that allows no further stream: [`Connection::ping`] says which servers need an application
/// that accepts streams.
#[must_use]
pub fn ping<K, F>(find: F) -> Probes<K>
where
    K: Send + 'static,
    F: Fn(&K) -> Option<Connection> + Send + Sync + 'static,
{
    Probes::from_fn(move |key| {
        let connection = find(&key);
        async move {
            let connection = connection.ok_or("there is no connection")?;
            Ok::<_, BoxError>(connection.ping(PATIENCE).await?)
        }
    })
}

/// The probe's own timeout may be shorter.
const PATIENCE: Duration = Duration::from_secs(5);
