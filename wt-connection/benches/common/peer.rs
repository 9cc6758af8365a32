use bytes::Bytes;

/// A session, or what is used like one.
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
