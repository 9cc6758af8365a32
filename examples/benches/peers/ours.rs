use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tower::ServiceExt;
use wt_connection::{
    Connection, Connector, Endpoint, Identity, Limits, RecvStream, SendStream, Session, Trust,
};

use crate::peer::{LIMIT, Peer, Receiving, Sending, Stack};
use crate::tls::{Tls, transport};

pub(crate) struct Ours {
    address: std::net::SocketAddr,
    connector: Connector,
    accepted: Mutex<mpsc::Receiver<Session>>,
}

impl Ours {
    /// A connection without a session.
    pub(crate) async fn connection(&self) -> Connection {
        let connector = self.connector.clone();
        connector.oneshot(self.address.into()).await.unwrap()
    }
}

impl Stack for Ours {
    type Peer = Session;

    fn new(tls: &Tls) -> Self {
        let identity = Identity::new(vec![tls.certificate.clone()], tls.key()).unwrap();
        let limits = Limits::default().max_sessions(128);
        let server = Endpoint::builder()
            .address((Ipv4Addr::LOCALHOST, 0).into())
            .identity(identity)
            .transport(Arc::new(transport()))
            .limits(limits)
            .bind()
            .unwrap();
        let client = Endpoint::builder()
            .address((Ipv4Addr::LOCALHOST, 0).into())
            .trust(Trust::rustls(tls.client()))
            .bind()
            .unwrap();
        let connector = Connector::new(client)
            .transport(Arc::new(transport()))
            .limits(limits);
        let address = server.local_address().unwrap();
        let (sender, accepted) = mpsc::channel(1024);
        tokio::spawn(accept(server, sender));
        Self {
            address,
            connector,
            accepted: Mutex::new(accepted),
        }
    }

    async fn connect(&self) -> Session {
        self.connection().await.open("/").await.unwrap()
    }

    async fn accept(&self) -> Session {
        self.accepted.lock().await.recv().await.unwrap()
    }

    async fn close(&self, peers: Vec<Session>) {
        let mut closing = JoinSet::new();
        for session in peers {
            closing.spawn(session.connection().close(0, ""));
        }
        closing.join_all().await;
    }
}

async fn accept(server: Endpoint, sender: mpsc::Sender<Session>) {
    while let Some(incoming) = server.accept().await {
        let sender = sender.clone();
        tokio::spawn(async move {
            let connection = incoming.await.unwrap();
            while let Ok(request) = connection.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let _ = sender.send(request.accept().await.unwrap()).await;
                });
            }
        });
    }
}

impl Peer for Session {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open_bi(&self) -> (SendStream, RecvStream) {
        self.open_bi().await.unwrap().split()
    }

    async fn accept_bi(&self) -> Option<(SendStream, RecvStream)> {
        Some(self.accept_bi().await.ok()?.split())
    }

    async fn open_uni(&self) -> SendStream {
        self.open_uni().await.unwrap()
    }

    async fn accept_uni(&self) -> Option<RecvStream> {
        self.accept_uni().await.ok()
    }

    fn send_datagram(&self, payload: &Bytes) {
        self.send_datagram(payload).unwrap();
    }

    async fn read_datagram(&self) -> Option<usize> {
        Some(self.read_datagram().await.ok()?.len())
    }

    async fn closed(&self) {
        self.closed().await;
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
        self.read_chunk(usize::MAX).await.unwrap()
    }
}
