use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::any;
use examples::stack::PATH;
use tokio::io::copy;
use wt_connection::{
    BiStream, Connections, Connector, Endpoint, Identity, Limits, Server, Session, Target, Trust,
    WebTransportUpgrade,
};

/// Echo servers in this process, whose sessions and connections can be counted.
pub(crate) struct Local {
    pub(crate) trust: Trust,
    pub(crate) targets: Vec<Target>,
    /// Those of each server.
    pub(crate) connections: Vec<Connections>,
    opened: Vec<Arc<AtomicU64>>,
}

impl Local {
    pub(crate) fn start(servers: usize, limits: Limits) -> Self {
        let identity = Identity::self_signed(["127.0.0.1", "localhost"]).unwrap();
        let mut local = Self {
            trust: Trust::hashes([identity.certificate_hash()]),
            targets: Vec::new(),
            connections: Vec::new(),
            opened: Vec::new(),
        };
        for _ in 0..servers {
            let endpoint = Endpoint::builder()
                .address("127.0.0.1:0".parse().unwrap())
                .identity(identity.clone())
                .limits(limits)
                .bind()
                .unwrap();
            let connections = Connections::new();
            local.targets.push(endpoint.local_address().unwrap().into());
            local.connections.push(connections.clone());
            let opened = Arc::<AtomicU64>::default();
            local.opened.push(Arc::clone(&opened));
            let server = Server::new(endpoint).connections(connections);
            tokio::spawn(server.serve(app(opened)));
        }
        local
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::client(self.trust.clone()).unwrap()
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(self.endpoint())
    }

    /// Sessions that are open, as the servers have it.
    pub(crate) fn sessions(&self) -> usize {
        let all = self.connections.iter().flat_map(Connections::all);
        all.map(|connection| connection.sessions().len()).sum()
    }

    /// Sessions that were ever opened at a server, those of probes among them.
    pub(crate) fn opened(&self, target: &Target) -> u64 {
        let mut servers = self.targets.iter().zip(&self.opened);
        let (_, opened) = servers.find(|(server, _)| *server == target).unwrap();
        opened.load(Ordering::Relaxed)
    }
}

fn app(opened: Arc<AtomicU64>) -> Router {
    let answer = async move |upgrade: WebTransportUpgrade| {
        opened.fetch_add(1, Ordering::Relaxed);
        upgrade.on_session(echo)
    };
    Router::new().route(PATH, any(answer))
}

async fn echo(session: Session) {
    while let Ok(stream) = session.accept_bi().await {
        tokio::spawn(send_back(stream));
    }
}

async fn send_back(stream: BiStream) {
    let (mut send, mut recv) = stream.split();
    if copy(&mut recv, &mut send).await.is_ok() {
        let _ = send.finish();
    }
}
