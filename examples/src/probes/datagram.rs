use wt_connection::{Connector, Target};
use wt_health::probe::Probes;

use crate::BoxError;
use crate::echo;
use crate::probes::session::opened;

/// Connects, opens a session at a path that echoes, and sends a datagram: all the way there and
/// back works, and carries datagrams.
///
/// A datagram may be lost, so that several are sent; they have a second each.
#[must_use]
pub fn datagram(connector: Connector, path: &'static str) -> Probes<Target> {
    Probes::from_fn(move |target| {
        let connector = connector.clone();
        async move {
            let (_connection, session) = opened(connector, target, path).await?;
            let took = echo::datagram(&session, b"probe").await?;
            session.close(0, "");
            Ok::<_, BoxError>(took)
        }
    })
}
