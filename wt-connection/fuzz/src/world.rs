use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::NewRenoConfig;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use wt_connection::{Endpoint, Identity, Limits, Transport};

/// The runtime of all inputs, and what is made once.
pub struct World<T> {
    runtime: Runtime,
    made: T,
    /// How many tasks there are while no connection is open.
    idle: usize,
    inputs: usize,
}

impl<T> World<T> {
    /// Makes a world, within which `make` makes what lasts.
    pub fn new(make: impl AsyncFnOnce() -> T) -> RefCell<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let made = runtime.block_on(async {
            let made = make().await;
            // The tasks that it has spawned get to where they wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
            made
        });
        RefCell::new(Self {
            idle: runtime.metrics().num_alive_tasks(),
            runtime,
            made,
            inputs: 0,
        })
    }

    /// Runs one input and, now and then, `check`, before which all that the inputs have left behind
    /// has to be gone.
    pub fn run(&mut self, input: impl AsyncFnOnce(&T), check: impl AsyncFnOnce(&T)) {
        self.runtime.block_on(within(input(&self.made)));
        self.inputs += 1;
        if self.inputs.is_multiple_of(CHECK_EVERY) {
            let metrics = self.runtime.metrics();
            self.runtime.block_on(within(async {
                check(&self.made).await;
                while metrics.num_alive_tasks() > self.idle {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }));
        }
    }
}

/// Bounds how long something may take: 5 s, of which a machine that stands still takes little.
///
/// # Panics
///
/// Panics if it takes longer.
pub async fn within<O>(future: impl Future<Output = O>) -> O {
    let mut future = Box::pin(future);
    for _ in 0..50 {
        if let Ok(done) = timeout(Duration::from_millis(100), &mut future).await {
            return done;
        }
    }
    panic!("it is not done in time");
}

/// An identity, and a server of ours with limits that are soon reached.
pub fn localhost() -> (Identity, Endpoint) {
    server(
        Transport::default()
            .keep_alive_interval(None)
            .max_idle_timeout(Some(IDLE))
            .congestion_controller(unblocked()),
    )
}

/// The same, but that it has room for next to nothing.
pub fn narrow_localhost() -> (Identity, Endpoint) {
    let mut transport = narrow();
    let idle = IDLE.try_into().expect("it is short");
    transport.max_idle_timeout(Some(idle));
    server(transport.into())
}

/// Limits that are soon reached.
pub fn limits() -> Limits {
    Limits::default()
        .max_sessions(4)
        .early_streams(3)
        .early_datagrams(3)
        .received_datagrams(3)
        .header_block(2048)
        .header_timeout(Duration::from_millis(300))
        .flush_timeout(Duration::from_millis(200))
}

fn server(transport: Transport) -> (Identity, Endpoint) {
    let identity = Identity::self_signed(["localhost"]).expect("an identity can be made");
    let endpoint = Endpoint::builder()
        .address(SocketAddr::from(([127, 0, 0, 1], 0)))
        .identity(identity.clone())
        .limits(limits())
        .transport(transport)
        .bind();
    (identity, endpoint.expect("loopback can be bound"))
}

/// Clients of quinn's alone that trust an identity, on one socket.
pub struct RawClient {
    socket: quinn::Endpoint,
    wide: quinn::ClientConfig,
    narrow: quinn::ClientConfig,
}

impl RawClient {
    pub fn new(identity: &Identity) -> Self {
        let socket = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut transport = quinn::TransportConfig::default();
        transport.congestion_controller_factory(unblocked());
        Self {
            socket: socket.expect("loopback can be bound"),
            wide: client_config(identity, transport),
            narrow: client_config(identity, narrow()),
        }
    }

    /// Connects, as one that has room for next to nothing if `narrow`.
    pub fn connect(&self, server: SocketAddr, narrow: bool) -> quinn::Connecting {
        let config = match narrow {
            true => &self.narrow,
            false => &self.wide,
        };
        let connecting = self
            .socket
            .connect_with(config.clone(), server, "localhost");
        connecting.expect("the address is one")
    }
}

fn client_config(identity: &Identity, transport: quinn::TransportConfig) -> quinn::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    let root = identity.certificate_chain()[0].clone();
    roots.add(root).expect("it is a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicClientConfig::try_from(tls).expect("TLS 1.3 is QUIC's");
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    config
}

/// Room for the settings of ours and a little more in each stream, for a few such, and for two
/// streams of each kind, so that whatever the other side writes or opens soon has to wait.
fn narrow() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .stream_receive_window(48_u8.into())
        .receive_window(200_u8.into())
        .max_concurrent_bidi_streams(2_u8.into())
        .max_concurrent_uni_streams(2_u8.into())
        .congestion_controller_factory(unblocked());
    transport
}

/// A window that no program fills. With more to send than fits, quinn 0.11 does not send the end of
/// the connection, and the other side waits for its idle timeout.
fn unblocked() -> Arc<NewRenoConfig> {
    let mut config = NewRenoConfig::default();
    config.initial_window(1 << 24);
    Arc::new(config)
}

const CHECK_EVERY: usize = 64;
const IDLE: Duration = Duration::from_secs(2);
