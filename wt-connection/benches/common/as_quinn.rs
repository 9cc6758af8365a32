//! For a stack that calls things by quinn's names: `Session`, `SendStream` and `RecvStream` of the
//! module above.

use bytes::Bytes;

use super::{RecvStream, SendStream, Session};
use crate::common::peer::{LIMIT, Peer, Receiving, Sending};

impl Peer for Session {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open_bi(&self) -> (SendStream, RecvStream) {
        self.open_bi().await.unwrap()
    }

    async fn accept_bi(&self) -> Option<(SendStream, RecvStream)> {
        self.accept_bi().await.ok()
    }

    async fn open_uni(&self) -> SendStream {
        self.open_uni().await.unwrap()
    }

    async fn accept_uni(&self) -> Option<RecvStream> {
        self.accept_uni().await.ok()
    }

    fn send_datagram(&self, payload: &Bytes) {
        self.send_datagram(payload.clone()).unwrap();
    }

    async fn read_datagram(&self) -> Option<usize> {
        Some(self.read_datagram().await.ok()?.len())
    }
}

impl Sending for SendStream {
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

impl Receiving for RecvStream {
    async fn read_to_end(&mut self) -> Vec<u8> {
        self.read_to_end(LIMIT).await.unwrap()
    }

    async fn read_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.read_chunk(usize::MAX, true).await.unwrap();
        chunk.map(|chunk| chunk.bytes)
    }
}
