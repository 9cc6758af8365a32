//! Names, resolved by hickory of a server of the test's own.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::SECOND;
use futures_core::Stream;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};
use tower::discover::Change;
use wt_balance::Dns;

/// The last bytes of the addresses that a name has, and for how many seconds; none is no address.
type Answer = (Vec<u8>, u32);

/// Answers questions for A records, each with the next answer, or the last one again.
struct Server {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Server {
    async fn new(answers: Vec<Answer>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Instant>>>::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut question = [0; 512];
            loop {
                let (len, from) = socket.recv_from(&mut question).await.unwrap();
                let n = log.lock().unwrap().len();
                log.lock().unwrap().push(Instant::now());
                let answer = answers.get(n).or_else(|| answers.last()).unwrap();
                let packet = packet(&question[..len], answer);
                socket.send_to(&packet, from).await.unwrap();
            }
        });
        Self { at, asked }
    }

    fn resolver(&self) -> TokioResolver {
        let mut udp = ConnectionConfig::udp();
        udp.port = self.at.port();
        let server = NameServerConfig::new(self.at.ip(), true, vec![udp]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4Only;
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        builder.build().unwrap()
    }

    fn dns(&self) -> Dns {
        Dns::with_resolver("backends.test.", 443, self.resolver())
    }

    /// How long it was left alone between one question and the next.
    fn pauses(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.windows(2).map(|two| two[1] - two[0]).collect()
    }
}

/// The answer to a question, which it repeats (RFC 1035, section 4).
fn packet(question: &[u8], (addresses, seconds): &Answer) -> Vec<u8> {
    // The name, its end, and the type and the class.
    let name = question[12..].iter().position(|byte| *byte == 0).unwrap();
    let asks = &question[12..12 + name + 5];
    let mut packet = question[..2].to_vec();
    // A response, recursion desired and available, without an error.
    packet.extend([0x81, 0x80]);
    packet.extend([0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    packet.extend(asks);
    for last in addresses {
        // That name, A, IN.
        packet.extend([0xc0, 12, 0, 1, 0, 1]);
        packet.extend(seconds.to_be_bytes());
        packet.extend([0, 4, 127, 0, 0, *last]);
    }
    packet
}

/// The next change, as it is written.
async fn next<S>(changes: &mut S) -> String
where
    S: Stream<Item = Result<Change<SocketAddr, Ipv4Addr>, tower::BoxError>> + Unpin,
{
    let change = timeout(
        20 * SECOND,
        poll_fn(|cx| Pin::new(&mut *changes).poll_next(cx)),
    );
    match change.await.unwrap().unwrap() {
        Ok(Change::Insert(address, service)) => format!("+{address} {service}"),
        Ok(Change::Remove(address)) => format!("-{address}"),
        Err(error) => format!("error: {error}"),
    }
}

fn maker(address: SocketAddr) -> Ipv4Addr {
    match address {
        SocketAddr::V4(address) => *address.ip(),
        SocketAddr::V6(_) => panic!("nobody has told of {address}"),
    }
}

#[tokio::test]
async fn a_name_is_resolved_again_when_its_records_expire() {
    let server = Server::new(vec![(vec![1, 2], 1), (vec![2, 3], 300)]).await;
    let mut changes = server.dns().at_least(Duration::ZERO).discover(maker);

    let first = [next(&mut changes).await, next(&mut changes).await];
    let then = [next(&mut changes).await, next(&mut changes).await];

    assert_eq!(
        first,
        ["+127.0.0.1:443 127.0.0.1", "+127.0.0.2:443 127.0.0.2"]
    );
    assert_eq!(then, ["+127.0.0.3:443 127.0.0.3", "-127.0.0.1:443"]);
    let pauses = server.pauses();
    assert_eq!(pauses.len(), 1);
    // The resolver counts from when it got the answer.
    assert!(
        pauses[0] >= SECOND * 9 / 10 && pauses[0] < 5 * SECOND,
        "{pauses:?}"
    );
}

#[tokio::test]
async fn records_that_expire_too_soon_are_kept_for_the_least_time() {
    let server = Server::new(vec![(vec![1], 0), (vec![2], 300)]).await;
    let mut changes = server.dns().at_least(SECOND * 3 / 2).discover(maker);

    assert_eq!(next(&mut changes).await, "+127.0.0.1:443 127.0.0.1");
    assert_eq!(next(&mut changes).await, "+127.0.0.2:443 127.0.0.2");

    let pauses = server.pauses();
    assert!(pauses[0] >= SECOND * 3 / 2, "{pauses:?}");
}

/// The resolver keeps nothing, or it would give that as its answer.
#[tokio::test]
async fn records_that_last_long_are_kept_for_the_most_time() {
    let server = Server::new(vec![(vec![1], 300), (vec![2], 300)]).await;
    let dns = server.dns().at_least(Duration::ZERO).at_most(SECOND / 10);
    let mut changes = dns.discover(maker);

    assert_eq!(next(&mut changes).await, "+127.0.0.1:443 127.0.0.1");
    assert_eq!(next(&mut changes).await, "+127.0.0.2:443 127.0.0.2");
}

/// A name that has lost its addresses is asked for again, and its backends stay until it has
/// others.
#[tokio::test]
async fn a_name_without_address_takes_no_backend_away() {
    let answers = vec![(vec![1], 0), (vec![], 0), (vec![2], 300)];
    let server = Server::new(answers).await;
    let mut changes = server.dns().at_least(SECOND / 10).discover(maker);

    assert_eq!(next(&mut changes).await, "+127.0.0.1:443 127.0.0.1");
    let error = next(&mut changes).await;
    assert!(error.starts_with("error: "), "{error}");
    assert_eq!(next(&mut changes).await, "+127.0.0.2:443 127.0.0.2");
    assert_eq!(next(&mut changes).await, "-127.0.0.1:443");
}

#[tokio::test]
async fn a_balancer_knows_what_the_name_is() {
    let server = Server::new(vec![(vec![1, 2], 300)]).await;
    let maker = |address: SocketAddr| {
        tower::service_fn(move |(): ()| std::future::ready(Ok::<_, tower::BoxError>(address)))
    };
    let balance = wt_balance::Balance::new(server.dns().discover(maker));

    let answer = tower::ServiceExt::oneshot(balance.clone(), ())
        .await
        .unwrap();

    assert_eq!(answer.port(), 443);
    assert_eq!(balance.snapshot().known, 2);
}
