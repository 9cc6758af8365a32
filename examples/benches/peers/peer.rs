use std::sync::Arc;

use bytes::Bytes;

use crate::tls::Tls;

/// A stack of WebTransport: a server and a client, each with a socket.
pub(crate) trait Stack: Send + Sync + Sized + 'static {
    type Peer: Peer;

    fn new(tls: &Tls) -> Self;
    /// A new connection with a session, seen by the client.
    fn connect(&self) -> impl Future<Output = Self::Peer> + Send;
    /// The next that the server accepts; all handshakes go on at the same time.
    fn accept(&self) -> impl Future<Output = Self::Peer> + Send;
    /// Closes all connections, and waits until that is done.
    fn close(&self, peers: Vec<Self::Peer>) -> impl Future<Output = ()> + Send;

    /// A session, seen by both.
    fn session(&self) -> impl Future<Output = (Self::Peer, Self::Peer)> + Send {
        async { tokio::join!(self.connect(), self.accept()) }
    }

    /// Accepts whoever comes.
    fn serve(self: &Arc<Self>) {
        let stack = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let peer = stack.accept().await;
                tokio::spawn(async move { peer.closed().await });
            }
        });
    }
}

/// One session.
pub(crate) trait Peer: Clone + Send + Sync + 'static {
    type Send: Sending;
    type Recv: Receiving;

    fn open_bi(&self) -> impl Future<Output = (Self::Send, Self::Recv)> + Send;
    /// `None` once the peer is gone.
    fn accept_bi(&self) -> impl Future<Output = Option<(Self::Send, Self::Recv)>> + Send;
    fn open_uni(&self) -> impl Future<Output = Self::Send> + Send;
    fn accept_uni(&self) -> impl Future<Output = Option<Self::Recv>> + Send;
    fn send_datagram(&self, payload: &Bytes);
    /// How long it is.
    fn read_datagram(&self) -> impl Future<Output = Option<usize>> + Send;
    fn closed(&self) -> impl Future<Output = ()> + Send;
}

pub(crate) trait Sending: Send + 'static {
    fn write_all(&mut self, buf: &[u8]) -> impl Future<Output = ()> + Send;
    fn write_chunk(&mut self, chunk: Bytes) -> impl Future<Output = ()> + Send;
    fn finish(&mut self);
}

pub(crate) trait Receiving: Send + 'static {
    fn read_to_end(&mut self) -> impl Future<Output = Vec<u8>> + Send;
    fn read_chunk(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

pub(crate) const LIMIT: usize = 64 * 1024;
