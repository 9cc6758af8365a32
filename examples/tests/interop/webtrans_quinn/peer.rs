use webtrans_quinn::{
    Client, ClientBuilder, RecvStream, Request, SendStream, Server as QuinnServer, ServerBuilder,
};
pub(crate) use webtrans_quinn::{ReadError as TheirReadError, Session as TheirSession};
use wt_connection::{CertificateHash, Session, Target};

use crate::certificate::Certificate;
use crate::end::End;
use crate::ours::{LOOPBACK, Server, connector};

impl End for TheirSession {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open_bi(&self) -> (SendStream, RecvStream) {
        self.open_bi().await.unwrap()
    }

    async fn accept_bi(&self) -> (SendStream, RecvStream) {
        self.accept_bi().await.unwrap()
    }

    async fn open_uni(&self) -> SendStream {
        self.open_uni().await.unwrap()
    }

    async fn accept_uni(&self) -> RecvStream {
        self.accept_uni().await.unwrap()
    }

    fn send_datagram(&self, payload: &[u8]) {
        self.send_datagram(payload.to_vec().into()).unwrap();
    }

    async fn read_datagram(&self) -> Vec<u8> {
        self.read_datagram().await.unwrap().into()
    }

    fn max_datagram_size(&self) -> usize {
        self.max_datagram_size()
    }
}

pub(crate) struct TheirServer {
    server: QuinnServer,
    pub(crate) hash: CertificateHash,
}

impl TheirServer {
    pub(crate) fn bind() -> Self {
        let Certificate { chain, key, hash } = Certificate::new();
        let server = ServerBuilder::new()
            .with_addr(LOOPBACK.parse().unwrap())
            .with_certificate(chain, key)
            .unwrap();
        Self { server, hash }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.server.local_addr().unwrap())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.target())
    }

    pub(crate) async fn request(&mut self) -> Request {
        self.server.accept().await.unwrap().unwrap()
    }
}

pub(crate) fn client(server: &Server) -> Client {
    ClientBuilder::new()
        .with_server_certificate_hashes(vec![server.hash.as_bytes().to_vec()])
        .unwrap()
}

/// A session that their client has opened at our server.
pub(crate) async fn from_their_client() -> (Session, TheirSession) {
    let server = Server::bind();
    let client = client(&server);
    let url = server.url("/").parse().unwrap();
    let (ours, theirs) = tokio::join!(server.session(), client.connect(url));
    (ours, theirs.unwrap())
}

/// A session that our client has opened at their server.
pub(crate) async fn from_our_client() -> (Session, TheirSession) {
    let mut server = TheirServer::bind();
    let url = server.url("/");
    let connector = connector(server.hash);
    let accept = async { server.request().await.ok().await.unwrap() };
    let (ours, theirs) = tokio::join!(connector.open(&url), accept);
    (ours.unwrap(), theirs)
}
