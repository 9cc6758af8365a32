//! Peers that break the rules, and who must not suffer from them.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use http::Request;
use http_body_util::BodyExt;
use tokio::task::JoinHandle;
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, ConnectError, Connection, Connector, Limits, Server, Session, Upgrade};

use super::plain::Exchange;
use super::raw::{self, Raw};
use super::serve::{BoxError, Reply, Served, get, reply, text};
use super::{bare, target};

/// A client of ours with a session at a server of ours, which echoes: on the same sockets as
/// whoever breaks the rules.
pub(crate) struct Bystander {
    pub(crate) served: Served,
    pub(crate) connector: Connector,
    pub(crate) client: Connection,
    pub(crate) session: Session,
}

impl Bystander {
    pub(crate) async fn new(limits: Limits) -> Self {
        Self::with(limits, |server| server).await
    }

    pub(crate) async fn with(limits: Limits, set: impl FnOnce(Server) -> Server) -> Self {
        let served = Served::set(limits, set, service_fn(echo));
        let connector = bare::connector().limits(limits);
        let client = connector.clone().oneshot(target(&served.endpoint)).await;
        let client = client.unwrap();
        Self {
            session: client.open("/").await.unwrap(),
            client,
            served,
            connector,
        }
    }

    /// Shows that the session goes on, and that its connection takes another and a request.
    pub(crate) async fn unharmed(&self) {
        echoed(&self.session).await;
        echoed(&self.client.open("/").await.unwrap()).await;
        let response = get(&self.client, "/").await.unwrap();
        assert_eq!(text(response).await, "served");
    }

    /// A peer of a server or of a client of ours, which has sent nothing of HTTP/3 yet.
    pub(crate) async fn foe(&self, ours: Role) -> Foe {
        match ours {
            Role::Server => {
                let (served, identity) = (&self.served, &self.served.identity);
                let (quic, socket) = raw::quic_client(&served.endpoint, identity).await;
                let client = None;
                Foe {
                    quic,
                    socket,
                    client,
                }
            }
            Role::Client => {
                let socket = bare::server(Some(b"h3"));
                let connect = self.connector.clone().oneshot(bare::target(&socket));
                let client = Some(tokio::spawn(connect));
                let quic = socket.accept().await.unwrap().await.unwrap();
                Foe {
                    quic,
                    socket,
                    client,
                }
            }
        }
    }

    /// A peer of a server of ours, with a session that must live on.
    pub(crate) async fn client(&self) -> (Raw, Beside) {
        self.client_of(&raw::ENABLED).await
    }

    /// A peer of these settings.
    async fn client_of(&self, settings: &[(u64, u64)]) -> (Raw, Beside) {
        let foe = self.foe(Role::Server).await;
        let peer = raw::start(foe.quic, foe.socket, settings).await;
        let beside = Beside::open(&peer).await;
        (peer, beside)
    }

    /// A peer of these settings, with one session that echoes.
    pub(crate) async fn echoing(&self, ours: Role, settings: &[(u64, u64)]) -> (Raw, Beside) {
        match ours {
            Role::Server => self.client_of(settings).await,
            Role::Client => {
                let (peer, _, session, exchange) = self.server_of(settings).await;
                tokio::spawn(echo_all(session));
                let Exchange { send, recv } = exchange;
                (peer, Beside { send, recv })
            }
        }
    }

    /// A peer of a client of ours, which has a session that must live on.
    pub(crate) async fn server(&self) -> (Raw, Connection, Session, Exchange) {
        self.server_of(&MANY).await
    }

    /// A peer of these settings.
    async fn server_of(&self, settings: &[(u64, u64)]) -> (Raw, Connection, Session, Exchange) {
        let foe = self.foe(Role::Client).await;
        let (quic, socket) = (foe.quic, foe.socket);
        let peer = raw::start(quic, socket, settings).await;
        let client = foe.client.unwrap().await.unwrap().unwrap();
        let (session, exchange) = super::plain::session(&client, &peer).await;
        (peer, client, session, exchange)
    }
}

/// Settings of a server that admits a hundred sessions.
pub(crate) const MANY: [(u64, u64); 4] =
    [(0x08, 1), (0x33, 1), (0x2b60_3742, 1), (0xc671_706a, 100)];

pub(crate) const H3_FRAME_ERROR: u64 = 0x106;
pub(crate) const H3_ID_ERROR: u64 = 0x108;
pub(crate) const H3_SETTINGS_ERROR: u64 = 0x109;

/// The header of a frame, or of a capsule, that says it is so long.
pub(crate) fn claim(ty: u64, length: u64) -> Vec<u8> {
    [raw::varint(ty), raw::varint(length)].concat()
}

/// A code as quinn takes it.
pub(crate) fn code(code: u64) -> quinn::VarInt {
    quinn::VarInt::from_u64(code).unwrap()
}

/// What of ours a peer attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// A QUIC connection on which a peer may break the rules of HTTP/3.
pub(crate) struct Foe {
    pub(crate) quic: quinn::Connection,
    pub(crate) socket: quinn::Endpoint,
    /// Of a client of ours, what its connecting comes to.
    pub(crate) client: Option<JoinHandle<Result<Connection, ConnectError>>>,
}

impl Foe {
    /// Opens a stream, and writes this.
    pub(crate) async fn uni(&self, bytes: &[u8]) -> quinn::SendStream {
        let mut send = self.quic.open_uni().await.unwrap();
        send.write_all(bytes).await.unwrap();
        send
    }

    /// Opens a control stream of these frames.
    pub(crate) async fn control(&self, frames: &[u8]) -> quinn::SendStream {
        self.uni(&[&raw::varint(0), frames].concat()).await
    }

    /// Waits until the streams that were opened before are known for what they are.
    pub(crate) async fn placed(&self) {
        let reserved = self.uni(&[0x21]).await;
        assert!(reserved.stopped().await.unwrap().is_some());
    }

    /// Waits until this side closes the connection, and says with which code.
    pub(crate) async fn close_code(&self) -> u64 {
        match self.quic.closed().await {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("not closed by HTTP/3: {other}"),
        }
    }
}

/// A session by hand at a server that echoes.
pub(crate) struct Beside {
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
}

impl Beside {
    pub(crate) async fn open(peer: &Raw) -> Self {
        Self::open_at(peer, "/").await
    }

    async fn open_at(peer: &Raw, path: &str) -> Self {
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&raw::connect(path)).await.unwrap();
        assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
        Self { send, recv }
    }

    pub(crate) fn id(&self) -> u64 {
        self.send.id().into()
    }

    /// Shows that the session lives.
    pub(crate) async fn lives(&self, peer: &Raw) {
        let (mut send, mut recv) = peer.bi(self.id(), b"question").await;
        send.finish().unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"question");
    }
}

/// Sends something over a stream, and expects it back.
pub(crate) async fn echoed(session: &Session) {
    let mut stream = session.open_bi().await.unwrap();
    stream.send.write_all(b"question").await.unwrap();
    stream.send.finish().unwrap();
    assert_eq!(stream.recv.read_to_end(100).await.unwrap(), b"question");
}

/// A path where a session takes nothing of what comes to it.
pub(crate) const IDLE: &str = "/idle";

/// Echoes what comes to a session, and answers requests.
async fn echo(mut request: Request<Body>) -> Result<Reply, BoxError> {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        let idle = request.uri().path() == IDLE;
        upgrade.spawn(async move {
            match session.await {
                Ok(session) if idle => drop(session.closed().await),
                Ok(session) => echo_all(session).await,
                Err(_) => {}
            }
        });
    } else {
        // A request whose content breaks the rules fails.
        request.into_body().collect().await?;
    }
    Ok(reply("served"))
}

async fn echo_all(session: Session) {
    loop {
        tokio::select! {
            Ok(mut stream) = session.accept_bi() => {
                tokio::spawn(async move {
                    if let Ok(bytes) = stream.recv.read_to_end(1000).await {
                        let _ = stream.send.write_all(&bytes).await;
                        let _ = stream.send.finish();
                    }
                });
            }
            Ok(stream) = session.accept_uni() => drop(stream),
            Ok(datagram) = session.read_datagram() => drop(session.send_datagram(datagram)),
            else => return,
        }
    }
}

/// Two sessions on one connection of a peer's, which does with one what must not hurt the other.
pub(crate) struct Rig {
    pub(crate) peer: Raw,
    /// The CONNECT stream of the session that is to be broken.
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    other: Other,
}

/// The session that must live on.
enum Other {
    Served(Beside),
    Opened {
        session: Session,
        exchange: Exchange,
        broken: Session,
        client: Connection,
    },
}

impl Rig {
    pub(crate) async fn new(bystander: &Bystander, ours: Role) -> Self {
        let settings = match ours {
            Role::Server => &raw::ENABLED[..],
            Role::Client => &MANY,
        };
        Self::of(bystander, ours, settings).await
    }

    /// With a peer of these settings.
    pub(crate) async fn of(bystander: &Bystander, ours: Role, settings: &[(u64, u64)]) -> Self {
        match ours {
            Role::Server => {
                let (peer, beside) = bystander.client_of(settings).await;
                let Beside { send, recv } = Beside::open(&peer).await;
                Self {
                    peer,
                    send,
                    recv,
                    other: Other::Served(beside),
                }
            }
            Role::Client => {
                let (peer, client, session, exchange) = bystander.server_of(settings).await;
                let (broken, Exchange { send, recv }) = super::plain::session(&client, &peer).await;
                Self {
                    peer,
                    send,
                    recv,
                    other: Other::Opened {
                        session,
                        exchange,
                        broken,
                        client,
                    },
                }
            }
        }
    }

    /// Opens another session, which is to be broken next; of a server's, at this path.
    pub(crate) async fn renew(&mut self, path: &str) {
        match &mut self.other {
            Other::Served(_) => {
                let beside = Beside::open_at(&self.peer, path).await;
                (self.send, self.recv) = (beside.send, beside.recv);
            }
            Other::Opened { broken, client, .. } => {
                let (session, exchange) = super::plain::session(client, &self.peer).await;
                *broken = session;
                (self.send, self.recv) = (exchange.send, exchange.recv);
            }
        }
    }

    /// The session that is to be broken, as a client of ours has it.
    pub(crate) fn broken(&self) -> Option<&Session> {
        match &self.other {
            Other::Served(_) => None,
            Other::Opened { broken, .. } => Some(broken),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.send.id().into()
    }

    /// Opens as many sessions more, which a client of ours keeps.
    pub(crate) async fn more(&self, count: usize) -> Vec<(Session, Exchange)> {
        let mut more = Vec::new();
        if let Other::Opened { client, .. } = &self.other {
            for _ in 0..count {
                more.push(super::plain::session(client, &self.peer).await);
            }
        }
        more
    }

    /// Has the session that is to be broken take what comes to it, as a server's does.
    pub(crate) fn accept_all(&self) {
        if let Other::Opened { broken, .. } = &self.other {
            tokio::spawn(echo_all(broken.clone()));
        }
    }

    /// Shows that the other session lives.
    pub(crate) async fn other_lives(&self) {
        match &self.other {
            Other::Served(beside) => beside.lives(&self.peer).await,
            Other::Opened {
                session, exchange, ..
            } => super::plain::converse(session, exchange, &self.peer).await,
        }
    }
}
