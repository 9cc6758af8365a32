use wt_connection::{CertificateHash, Session, Target};
use wtransport::endpoint::{SessionRequest, endpoint_side};
use wtransport::{
    ClientConfig, Connection, Endpoint, Identity, RecvStream, SendStream, ServerConfig,
};

use crate::end::End;
use crate::ours::{LOOPBACK, NAMES, Server, connector};

impl End for Connection {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open_bi(&self) -> (SendStream, RecvStream) {
        self.open_bi().await.unwrap().await.unwrap()
    }

    async fn accept_bi(&self) -> (SendStream, RecvStream) {
        self.accept_bi().await.unwrap()
    }

    async fn open_uni(&self) -> SendStream {
        self.open_uni().await.unwrap().await.unwrap()
    }

    async fn accept_uni(&self) -> RecvStream {
        self.accept_uni().await.unwrap()
    }

    fn send_datagram(&self, payload: &[u8]) {
        self.send_datagram(payload).unwrap();
    }

    async fn read_datagram(&self) -> Vec<u8> {
        self.receive_datagram().await.unwrap().to_vec()
    }

    fn max_datagram_size(&self) -> usize {
        self.max_datagram_size().unwrap()
    }
}

pub(crate) struct TheirServer {
    endpoint: Endpoint<endpoint_side::Server>,
    pub(crate) hash: CertificateHash,
}

impl TheirServer {
    pub(crate) fn bind() -> Self {
        let identity = Identity::self_signed(NAMES).unwrap();
        let hash = *identity.certificate_chain().as_slice()[0].hash().as_ref();
        let config = ServerConfig::builder()
            .with_bind_address(LOOPBACK.parse().unwrap())
            .with_identity(identity)
            .build();
        Self {
            endpoint: Endpoint::server(config).unwrap(),
            hash: CertificateHash::from_bytes(hash),
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.endpoint.local_addr().unwrap())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.target())
    }

    pub(crate) async fn request(&self) -> SessionRequest {
        self.endpoint.accept().await.await.unwrap()
    }
}

pub(crate) fn client(server: &Server) -> Endpoint<endpoint_side::Client> {
    let config = ClientConfig::builder()
        .with_bind_address(LOOPBACK.parse().unwrap())
        .with_server_certificate_hashes([(*server.hash.as_bytes()).into()])
        .build();
    Endpoint::client(config).unwrap()
}

/// A session that their client has opened at our server.
pub(crate) async fn from_their_client() -> (Session, Connection) {
    let server = Server::bind();
    let client = client(&server);
    let (ours, theirs) = tokio::join!(server.session(), client.connect(server.url("/")));
    (ours, theirs.unwrap())
}

/// A session that our client has opened at their server.
pub(crate) async fn from_our_client() -> (Session, Connection) {
    let server = TheirServer::bind();
    let url = server.url("/");
    let connector = connector(server.hash);
    let accept = async { server.request().await.accept().await.unwrap() };
    let (ours, theirs) = tokio::join!(connector.open(&url), accept);
    (ours.unwrap(), theirs)
}
