//! Sessions with a peer whose window is nearly used up.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::sync::Arc;

use http::HeaderMap;
use tower::ServiceExt;
use wt_connection::{Endpoint, Session};

use super::hostile::{MANY, Role};
use super::{LOOPBACK, address, bare, raw, server_builder};

/// A session of ours with a peer that has room for three bytes more on the CONNECT stream.
pub(crate) struct Narrow {
    pub(crate) session: Session,
    pub(crate) quic: quinn::Connection,
    /// The CONNECT stream, of which nothing is read yet.
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    /// They stay open as long as the session is of use.
    _kept: (quinn::SendStream, quinn::Endpoint, Option<Endpoint>),
}

impl Narrow {
    pub(crate) async fn session(ours: Role) -> Self {
        match ours {
            Role::Server => Self::client().await,
            Role::Client => {
                let mut wide = Self::server(1 << 16).await;
                let request = wide.recv.read_chunk(1 << 16, true).await.unwrap();
                Self::server(request.unwrap().bytes.len() + 3).await
            }
        }
    }

    async fn client() -> Self {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let mut config = bare::client_config(identity.certificate_chain()[0].clone());
        config.transport_config(window(96));
        let socket = quinn::Endpoint::client(LOOPBACK.parse().unwrap()).unwrap();
        let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
        let connect = async {
            let connecting = socket.connect_with(config, address(&endpoint), "localhost");
            let quic = connecting.unwrap().await.unwrap();
            let control = bare::open_control(&quic, &raw::ENABLED).await;
            (quic, control)
        };
        let (connection, (quic, control)) = tokio::join!(accept, connect);
        let (mut send, recv) = quic.open_bi().await.unwrap();
        send.write_all(&raw::connect("/")).await.unwrap();
        // Three bytes of a frame's header, two of a block's, the status, and three of the name and
        // the length of this.
        let mut headers = HeaderMap::new();
        headers.insert("x", "y".repeat(96 - 3 - 9).parse().unwrap());
        let request = connection.accept().await.unwrap();
        let session = request.accept_with(headers).await.unwrap();
        Self {
            session,
            quic,
            send,
            recv,
            _kept: (control, socket, Some(endpoint)),
        }
    }

    async fn server(room: usize) -> Self {
        let socket = bare::server(Some(b"h3"));
        let crypto = bare::server_crypto(Some(b"h3"));
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(window(room));
        socket.set_server_config(Some(config));
        let connecting = bare::connector().oneshot(bare::target(&socket));
        let accepting = bare::accept(&socket, &MANY);
        let (client, (quic, control)) = tokio::join!(connecting, accepting);
        let client = client.unwrap();
        let answer = async {
            let (mut send, recv) = quic.accept_bi().await.unwrap();
            send.write_all(&raw::response("200")).await.unwrap();
            (send, recv)
        };
        let (session, (send, recv)) = tokio::join!(client.open(LONG), answer);
        Self {
            session: session.unwrap(),
            quic,
            send,
            recv,
            _kept: (control, socket, None),
        }
    }
}

/// Settings of a peer that takes so many bytes of each stream.
fn window(room: usize) -> Arc<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window(u32::try_from(room).unwrap().into());
    transport.into()
}

/// Of a request that takes more room than SETTINGS do.
const LONG: &str = "/a/path/that/is/so/long/that/its/request/takes/more/room/than/settings/do";
