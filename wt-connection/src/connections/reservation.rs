use std::sync::Arc;

use tokio::runtime::Handle;

use crate::Connection;
use crate::connections::registry::Registry;

/// A place in a registry, for a connection that is being made; dropped, it is free again.
#[derive(Debug)]
#[must_use = "dropping a reservation frees its place"]
pub(crate) struct Reservation {
    /// `None` once the place is filled.
    registry: Option<Arc<Registry>>,
}

impl Reservation {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry: Some(registry),
        }
    }

    /// Gives the place to `connection`; where the registry was shut down meanwhile, it is closed
    /// like the others were.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub(crate) fn fill(mut self, connection: &Connection) {
        let runtime = Handle::current();
        if let Some(registry) = self.registry.take() {
            registry.fill(connection, &runtime);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(registry) = &self.registry {
            registry.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use crate::error::Close;
    use crate::{Connection, Connections, Connector, Endpoint, Identity, Trust};

    #[test]
    fn a_dropped_reservation_frees_its_place() {
        let connections = Connections::new().max_connections(1);
        let reservation = connections.reserve().unwrap();
        assert_eq!(connections.handshakes(), 1);
        assert!(connections.reserve().is_none());

        drop(reservation);

        assert_eq!(connections.handshakes(), 0);
        assert!(connections.reserve().is_some());
        assert_eq!(connections.stats().refused, 1);
    }

    #[tokio::test]
    async fn a_reservation_that_is_filled_is_a_connection() {
        let connections = Connections::new().max_connections(1);
        let reservation = connections.reserve().unwrap();
        let (client, _server) = connected().await;

        reservation.fill(&client);

        assert_eq!((connections.len(), connections.handshakes()), (1, 0));
        client.close(0, "").await;
        assert_eq!((connections.len(), connections.handshakes()), (0, 0));
        assert!(connections.reserve().is_some());
    }

    #[tokio::test]
    async fn who_comes_during_the_shutdown_is_closed_like_the_others() {
        let connections = Connections::new();
        let reservation = connections.reserve().unwrap();
        let (client, _server) = connected().await;

        connections.shutdown(7, "enough").await;
        assert!(connections.reserve().is_none());
        reservation.fill(&client);

        let close = client.core().closing.get();
        assert_eq!(close, Some(Close::new(7, "enough")));
        client.closed().await;
        assert!(connections.is_empty());
    }

    async fn connected() -> (Connection, Connection) {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let server = Endpoint::server("127.0.0.1:0".parse().unwrap(), identity).unwrap();
        let target = server.local_address().unwrap().into();
        let connect = Connector::new(Endpoint::client(trust).unwrap()).oneshot(target);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (client, server) = tokio::join!(connect, accept);
        (client.unwrap(), server)
    }
}
