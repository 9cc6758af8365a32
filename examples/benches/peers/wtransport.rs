use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use wtransport::endpoint::endpoint_side::{Client, Server};
use wtransport::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig};

use crate::both::{Stack, transport};
use crate::common::peer::{LIMIT, Peer, Receiving, Sending};
use crate::common::tls::Tls;

pub(crate) struct Wtransport {
    url: String,
    client: Endpoint<Client>,
}

impl Stack for Wtransport {
    type Peer = Connection;

    fn new(tls: &Tls, accepted: Sender<Connection>) -> Self {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = ServerConfig::builder()
            .with_bind_address(local)
            .with_custom_tls_and_transport(tls.server(), transport())
            .build();
        let server = Endpoint::server(config).unwrap();
        let config = ClientConfig::builder()
            .with_bind_address(local)
            .with_custom_tls_and_transport(tls.client(), transport())
            .build();
        let url = format!("https://{}/", server.local_addr().unwrap());
        tokio::spawn(accept(server, accepted));
        Self {
            url,
            client: Endpoint::client(config).unwrap(),
        }
    }

    async fn connect(&self) -> Connection {
        self.client.connect(&self.url).await.unwrap()
    }

    async fn close(&self, peers: Vec<Connection>) {
        for connection in &peers {
            connection.close(0_u32.into(), b"");
        }
        drop(peers);
        self.client.wait_idle().await;
    }

    async fn closed(peer: &Connection) {
        peer.closed().await;
    }
}

async fn accept(server: Endpoint<Server>, sender: Sender<Connection>) {
    loop {
        let incoming = server.accept().await;
        let sender = sender.clone();
        tokio::spawn(async move {
            let request = incoming.await.unwrap();
            let _ = sender.send(request.accept().await.unwrap()).await;
        });
    }
}

impl Peer for Connection {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open_bi(&self) -> (SendStream, RecvStream) {
        self.open_bi().await.unwrap().await.unwrap()
    }

    async fn accept_bi(&self) -> Option<(SendStream, RecvStream)> {
        self.accept_bi().await.ok()
    }

    async fn open_uni(&self) -> SendStream {
        self.open_uni().await.unwrap().await.unwrap()
    }

    async fn accept_uni(&self) -> Option<RecvStream> {
        self.accept_uni().await.ok()
    }

    fn send_datagram(&self, payload: &Bytes) {
        self.send_datagram(payload).unwrap();
    }

    async fn read_datagram(&self) -> Option<usize> {
        Some(self.receive_datagram().await.ok()?.len())
    }
}

impl Sending for SendStream {
    async fn write_all(&mut self, buf: &[u8]) {
        self.write_all(buf).await.unwrap();
    }

    async fn write_chunk(&mut self, chunk: Bytes) {
        self.quic_stream_mut().write_chunk(chunk).await.unwrap();
    }

    /// Its own waits until all is acknowledged.
    fn finish(&mut self) {
        self.quic_stream_mut().finish().unwrap();
    }
}

impl Receiving for RecvStream {
    async fn read_to_end(&mut self) -> Vec<u8> {
        self.quic_stream_mut().read_to_end(LIMIT).await.unwrap()
    }

    async fn read_chunk(&mut self) -> Option<Bytes> {
        let stream = self.quic_stream_mut();
        let chunk = stream.read_chunk(usize::MAX, true).await.unwrap();
        chunk.map(|chunk| chunk.bytes)
    }
}
