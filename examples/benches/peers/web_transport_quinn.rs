#[path = "../../../wt-connection/benches/common/as_quinn.rs"]
mod as_quinn;

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use url::Url;
use web_transport_quinn::quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use web_transport_quinn::quinn::{self, ClientConfig, ServerConfig};
use web_transport_quinn::{Client, RecvStream, SendStream, Server, Session};

use crate::both::{Stack, transport};
use crate::common::tls::Tls;

pub(crate) struct WebTransportQuinn {
    url: Url,
    client: Client,
    endpoint: quinn::Endpoint,
}

impl Stack for WebTransportQuinn {
    type Peer = Session;

    fn new(tls: &Tls, accepted: Sender<Session>) -> Self {
        let local = (Ipv4Addr::LOCALHOST, 0).into();
        let crypto = QuicServerConfig::try_from(tls.server()).unwrap();
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport()));
        let server = quinn::Endpoint::server(config, local).unwrap();
        let endpoint = quinn::Endpoint::client(local).unwrap();
        let crypto = QuicClientConfig::try_from(tls.client()).unwrap();
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(transport()));
        let address = server.local_addr().unwrap();
        tokio::spawn(accept(Server::new(server), accepted));
        Self {
            url: format!("https://{address}/").parse().unwrap(),
            client: Client::new(endpoint.clone(), config),
            endpoint,
        }
    }

    async fn connect(&self) -> Session {
        self.client.connect(self.url.clone()).await.unwrap()
    }

    async fn close(&self, peers: Vec<Session>) {
        for session in &peers {
            session.close(0, b"");
        }
        drop(peers);
        self.endpoint.wait_idle().await;
    }

    async fn closed(peer: &Session) {
        peer.closed().await;
    }
}

async fn accept(mut server: Server, sender: Sender<Session>) {
    while let Some(request) = server.accept().await {
        let sender = sender.clone();
        tokio::spawn(async move {
            let _ = sender.send(request.ok().await.unwrap()).await;
        });
    }
}
