//! Peers that die, restart or vanish without a word.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::bounded::within;
use common::child::{Child, serve_if_child};
use common::path::Path;
use common::plain::{ask, get, next};
use common::{LOOPBACK, address, connector, server_builder};
use http_body_util::BodyExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;
use wt_connection::{
    BodyError, Connection, ConnectionError, ConnectionState, Connector, OpenError, RequestError,
    SessionError, Transport,
};

#[tokio::test]
async fn a_server_that_is_killed_is_missed_within_the_idle_timeout() {
    within(async {
        const NAME: &str = "a_server_that_is_killed_is_missed_within_the_idle_timeout";
        if serve_if_child().await {
            return;
        }
        let mut server = Child::start(NAME, any(), false).await;
        let client = connect(&server, IDLE).await;
        let session = client.open("/").await.unwrap();
        // The timeout is at least three probe timeouts, each about 25 ms on a path that is known.
        for _ in 0..10 {
            client.ping(IDLE).await.unwrap();
        }
        let late = Lateness::watch();

        server.kill();
        let killed = Instant::now();
        let error = client.closed().await;
        let elapsed = killed.elapsed();
        // The watch of the timers has its turn, too.
        tokio::task::yield_now().await;

        assert_eq!(error, ConnectionError::TimedOut);
        // RFC 9000 §10.1: it begins anew with the first packet that is sent after the last that
        // came and asks for an answer. That is the one that keeps alive, so long behind what was
        // sent last: an acknowledgement of what came, at the latest. Those timers and the timeout
        // each come as late as timers do just now.
        let bound = IDLE + KEEP_ALIVE + ACK_DELAY + 3 * late.worst();
        assert!(elapsed < bound, "{elapsed:?}, not {bound:?}");
        assert_eq!(client.state(), ConnectionState::Failed);
        assert_eq!(session.closed().await, SessionError::Connection(error));
    })
    .await;
}

#[tokio::test]
async fn requests_of_a_server_that_is_killed_end_with_their_connection() {
    within(async {
        const NAME: &str = "requests_of_a_server_that_is_killed_end_with_their_connection";
        if serve_if_child().await {
            return;
        }
        let mut server = Child::start(NAME, any(), false).await;
        let client = connect(&server, IDLE).await;
        let response = ask(&client, get("/")).await.unwrap();
        let mut body = response.into_body();
        assert_eq!(next(&mut body).await, "content");

        server.kill();
        let unanswered = ask(&client, get("/")).await;

        let lost = ConnectionError::TimedOut;
        assert!(
            matches!(&unanswered, Err(RequestError::Connection(error)) if *error == lost),
            "{unanswered:?}"
        );
        let broken = body.frame().await.unwrap().unwrap_err();
        assert_eq!(broken, BodyError::Connection(lost));
    })
    .await;
}

#[tokio::test]
async fn a_server_restarted_with_its_key_resets_the_connections_of_its_past_self() {
    within(async {
        const NAME: &str =
            "a_server_restarted_with_its_key_resets_the_connections_of_its_past_self";
        if serve_if_child().await {
            return;
        }
        let mut server = Child::start(NAME, any(), true).await;
        let long = Duration::from_secs(30);
        let client = connect(&server, long).await;
        let session = client.open("/").await.unwrap();

        server.kill();
        let _restarted = Child::start(NAME, server.address, true).await;
        let restarted = Instant::now();
        session.send_datagram("anybody?").unwrap();
        let error = client.closed().await;

        assert_eq!(error, ConnectionError::Reset);
        assert!(restarted.elapsed() < Duration::from_secs(3));
        assert_eq!(client.state(), ConnectionState::Failed);
        assert_eq!(session.closed().await, SessionError::Connection(error));
    })
    .await;
}

#[tokio::test]
async fn a_server_restarted_with_its_key_resets_a_client_that_only_keeps_alive() {
    within(async {
        const NAME: &str = "a_server_restarted_with_its_key_resets_a_client_that_only_keeps_alive";
        if serve_if_child().await {
            return;
        }
        let mut server = Child::start(NAME, any(), true).await;
        let client = connect(&server, Duration::from_secs(30)).await;

        server.kill();
        let restarted = Child::start(NAME, server.address, true).await;
        let error = client.closed().await;

        assert_eq!(error, ConnectionError::Reset);
        let again = connect(&restarted, IDLE).await;
        assert!(again.open("/").await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_server_restarted_without_its_key_is_missed_by_the_idle_timeout() {
    within(async {
        const NAME: &str = "a_server_restarted_without_its_key_is_missed_by_the_idle_timeout";
        if serve_if_child().await {
            return;
        }
        let mut server = Child::start(NAME, any(), false).await;
        let client = connect(&server, IDLE).await;

        server.kill();
        let restarted = Child::start(NAME, server.address, false).await;
        let error = client.closed().await;

        assert_eq!(error, ConnectionError::TimedOut);
        assert!(connect(&restarted, IDLE).await.open("/").await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_path_that_swallows_everything_times_both_sides_out() {
    within(async {
        let (identity, builder) = server_builder();
        let transport = Transport::default().keep_alive_interval(Some(KEEP_ALIVE));
        let server = builder.transport(transport).bind().unwrap();
        let path = Path::to(address(&server)).await;
        let connector = impatient(connector(&identity), IDLE);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let connect = connector.oneshot(path.address.into());
        let (client, there) = tokio::join!(connect, accept);
        let client = client.unwrap();
        let (opened, _accepted) = common::session(&client, &there).await;

        path.swallow();
        opened.send_datagram("anybody?").unwrap();
        let opening = client.open("/");
        let (here, over_there, opening) = tokio::join!(client.closed(), there.closed(), opening);

        assert_eq!(here, ConnectionError::TimedOut);
        assert_eq!(over_there, ConnectionError::TimedOut);
        assert!(
            matches!(
                opening,
                Err(OpenError::Connection(ConnectionError::TimedOut))
            ),
            "{opening:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn closing_over_a_path_that_swallows_everything_ends_in_time() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let path = Path::to(address(&server)).await;
        let limits = wt_connection::Limits::default().flush_timeout(Duration::from_millis(200));
        let connector = connector(&identity).limits(limits);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let connect = connector.oneshot(path.address.into());
        let (client, there) = tokio::join!(connect, accept);
        let client = client.unwrap();
        let (opened, _accepted) = common::session(&client, &there).await;

        path.swallow();
        let began = Instant::now();
        client.close(7, "enough").await;

        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(client.closed().await, ConnectionError::Closed);
        assert_eq!(opened.closed().await.close().unwrap().code(), 7);
    })
    .await;
}

async fn connect(server: &Child, idle: Duration) -> Connection {
    let connector = impatient(common::bare::connector(), idle);
    connector.oneshot(server.address.into()).await.unwrap()
}

fn impatient(connector: Connector, idle: Duration) -> Connector {
    connector
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
}

/// How late timers of this thread come.
struct Lateness(JoinHandle<()>, Arc<AtomicU64>);

impl Lateness {
    fn watch() -> Self {
        let worst = Arc::<AtomicU64>::default();
        let seen = Arc::clone(&worst);
        let watching = tokio::spawn(async move {
            loop {
                let due = Instant::now() + TICK;
                sleep_until(due).await;
                let late = due.elapsed().as_millis() as u64;
                seen.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self(watching, worst)
    }

    /// Up to now, and at least what a timer may be late by itself.
    fn worst(self) -> Duration {
        self.0.abort();
        TICK + Duration::from_millis(self.1.load(Ordering::Relaxed))
    }
}

fn any() -> SocketAddr {
    LOOPBACK.parse().unwrap()
}

const IDLE: Duration = Duration::from_millis(600);
const KEEP_ALIVE: Duration = Duration::from_millis(150);
/// How long an acknowledgement may be kept back.
const ACK_DELAY: Duration = Duration::from_millis(25);
/// No timer is told to more than a millisecond, and whoever it wakes has its turn later.
const TICK: Duration = Duration::from_millis(5);
