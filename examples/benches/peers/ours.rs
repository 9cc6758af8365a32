use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Identity, Limits, Session, Trust};

use crate::both::{Stack, transport};
use crate::common::tls::Tls;

pub(crate) struct Ours {
    address: SocketAddr,
    connector: Connector,
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

    fn new(tls: &Tls, accepted: Sender<Session>) -> Self {
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
        tokio::spawn(accept(server, accepted));
        Self { address, connector }
    }

    async fn connect(&self) -> Session {
        self.connection().await.open("/").await.unwrap()
    }

    async fn close(&self, peers: Vec<Session>) {
        let mut closing = JoinSet::new();
        for session in peers {
            closing.spawn(session.connection().close(0, ""));
        }
        closing.join_all().await;
    }

    async fn closed(peer: &Session) {
        peer.closed().await;
    }
}

async fn accept(server: Endpoint, sender: Sender<Session>) {
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
