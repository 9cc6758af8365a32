use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use web_transport_quinn::quinn::TransportConfig;

use crate::common::peer::Peer;
use crate::common::tls::Tls;

/// The client of a stack of WebTransport.
pub(crate) trait Stack: Send + Sync + Sized + 'static {
    type Peer: Peer;

    /// Also starts a server, which accepts whoever comes; all handshakes go on at the same time.
    fn new(tls: &Tls, accepted: Sender<Self::Peer>) -> Self;
    /// A new connection with a session, seen by the client.
    fn connect(&self) -> impl Future<Output = Self::Peer> + Send;
    /// Closes all connections, and waits until that is done.
    fn close(&self, peers: Vec<Self::Peer>) -> impl Future<Output = ()> + Send;
    /// Waits until the other end has closed it.
    fn closed(peer: &Self::Peer) -> impl Future<Output = ()> + Send;
}

/// A client, and what its server has accepted.
pub(crate) struct Both<S: Stack> {
    client: S,
    accepted: Receiver<S::Peer>,
}

impl<S: Stack> Both<S> {
    pub(crate) fn new(tls: &Tls) -> Self {
        let (sender, accepted) = channel(1024);
        let client = S::new(tls, sender);
        Self { client, accepted }
    }

    /// A session, seen by both.
    pub(crate) async fn session(&mut self) -> (S::Peer, S::Peer) {
        let (client, server) = tokio::join!(self.client.connect(), self.accepted.recv());
        (client, server.unwrap())
    }

    /// Has the server keep each session until it is closed; gives the client.
    pub(crate) fn serve(mut self) -> Arc<S> {
        tokio::spawn(async move {
            while let Some(peer) = self.accepted.recv().await {
                tokio::spawn(async move { S::closed(&peer).await });
            }
        });
        Arc::new(self.client)
    }
}

/// Without probes for the path's MTU, which is known: in bursts of handshakes they overflow the
/// sockets' buffers, and a lost handshake costs a second.
pub(crate) fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .initial_mtu(1452)
        .mtu_discovery_config(None)
        .max_concurrent_bidi_streams(256_u32.into());
    transport
}
