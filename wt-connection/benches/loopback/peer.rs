use bytes::Bytes;

/// What a session and a bare QUIC connection have in common.
pub(crate) trait Peer: Clone + Send + Sync + 'static {
    type Send: Sending;
    type Recv: Receiving;

    fn open_bi(&self) -> impl Future<Output = (Self::Send, Self::Recv)> + Send;
    /// `None` once the peer is gone.
    fn accept_bi(&self) -> impl Future<Output = Option<(Self::Send, Self::Recv)>> + Send;
    fn open_uni(&self) -> impl Future<Output = Self::Send> + Send;
    fn accept_uni(&self) -> impl Future<Output = Option<Self::Recv>> + Send;
    fn send_datagram(&self, payload: &Bytes);
    fn read_datagram(&self) -> impl Future<Output = Option<Bytes>> + Send;
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

impl Peer for wt_connection::Session {
    type Send = wt_connection::SendStream;
    type Recv = wt_connection::RecvStream;

    async fn open_bi(&self) -> (Self::Send, Self::Recv) {
        self.open_bi().await.unwrap().split()
    }

    async fn accept_bi(&self) -> Option<(Self::Send, Self::Recv)> {
        Some(self.accept_bi().await.ok()?.split())
    }

    async fn open_uni(&self) -> Self::Send {
        self.open_uni().await.unwrap()
    }

    async fn accept_uni(&self) -> Option<Self::Recv> {
        self.accept_uni().await.ok()
    }

    fn send_datagram(&self, payload: &Bytes) {
        self.send_datagram(payload).unwrap();
    }

    async fn read_datagram(&self) -> Option<Bytes> {
        self.read_datagram().await.ok()
    }
}

impl Peer for quinn::Connection {
    type Send = quinn::SendStream;
    type Recv = quinn::RecvStream;

    async fn open_bi(&self) -> (Self::Send, Self::Recv) {
        self.open_bi().await.unwrap()
    }

    async fn accept_bi(&self) -> Option<(Self::Send, Self::Recv)> {
        self.accept_bi().await.ok()
    }

    async fn open_uni(&self) -> Self::Send {
        self.open_uni().await.unwrap()
    }

    async fn accept_uni(&self) -> Option<Self::Recv> {
        self.accept_uni().await.ok()
    }

    fn send_datagram(&self, payload: &Bytes) {
        self.send_datagram(payload.clone()).unwrap();
    }

    async fn read_datagram(&self) -> Option<Bytes> {
        self.read_datagram().await.ok()
    }
}

impl Sending for wt_connection::SendStream {
    async fn write_all(&mut self, buf: &[u8]) {
        self.write_all(buf).await.unwrap();
    }

    async fn write_chunk(&mut self, chunk: Bytes) {
        self.write_chunk(chunk).await.unwrap();
    }

    fn finish(&mut self) {
        self.finish().unwrap();
    }
}

impl Receiving for wt_connection::RecvStream {
    async fn read_to_end(&mut self) -> Vec<u8> {
        self.read_to_end(LIMIT).await.unwrap()
    }

    async fn read_chunk(&mut self) -> Option<Bytes> {
        self.read_chunk(usize::MAX).await.unwrap()
    }
}

impl Sending for quinn::SendStream {
    async fn write_all(&mut self, buf: &[u8]) {
        self.write_all(buf).await.unwrap();
    }

    async fn write_chunk(&mut self, chunk: Bytes) {
        self.write_chunk(chunk).await.unwrap();
    }

    fn finish(&mut self) {
        self.finish().unwrap();
    }
}

impl Receiving for quinn::RecvStream {
    async fn read_to_end(&mut self) -> Vec<u8> {
        self.read_to_end(LIMIT).await.unwrap()
    }

    async fn read_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.read_chunk(usize::MAX, true).await.unwrap();
        chunk.map(|chunk| chunk.bytes)
    }
}

const LIMIT: usize = 64 * 1024;
