//! All crates in one client, whose servers die, fall silent, and come back.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![allow(
    dead_code,
    reason = "the examples as processes are shared with other tests"
)]

mod common;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Request;
use common::{Example, binary};
use examples::causes;
use examples::servers::{Credentials, ServerProcess};
use examples::stack::{CONNECT_TIMEOUT, Client, DEADLINE, PATH, Stack, TRY_TIMEOUT, echo, stack};
use tokio::runtime::Handle;
use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use wt_connection::{Connector, Endpoint, Target, Trust};

/// How long each step may take: machines are slow, and shared.
const PATIENCE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(5);

/// Servers, and the processor: on a busy one, whoever is well may be as slow as who is dead.
struct Fleet {
    servers: Vec<ServerProcess>,
    trust: Trust,
    _alone: MutexGuard<'static, ()>,
}

impl Fleet {
    async fn start(servers: usize) -> Self {
        static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let alone = ALONE.lock().await;
        let credentials = Credentials::generate().unwrap();
        let mut fleet = Self {
            servers: Vec::new(),
            trust: credentials.trust().unwrap(),
            _alone: alone,
        };
        for _ in 0..servers {
            let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
            let server = ServerProcess::start(binary("stack"), anywhere, credentials.clone());
            fleet.servers.push(server.await.unwrap());
        }
        fleet
    }

    fn targets(&self) -> Vec<Target> {
        let addresses = self.servers.iter().map(ServerProcess::address);
        addresses.map(Target::from).collect()
    }

    fn client(&self) -> Stack<impl Client<()> + use<>> {
        let endpoint = Endpoint::client(self.trust.clone()).unwrap();
        stack(Connector::new(endpoint), self.targets(), echo)
    }
}

/// Callers, each of whom calls again as soon as it has been answered, until this is dropped.
struct Load {
    callers: JoinSet<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
}

impl Load {
    fn of(callers: usize, client: &impl Client<()>) -> Self {
        let seen = Arc::<Seen>::default();
        let mut load = Self {
            callers: JoinSet::new(),
            seen: Arc::clone(&seen),
        };
        for _ in 0..callers {
            let (client, seen) = (client.clone(), Arc::clone(&seen));
            load.callers.spawn(async move {
                loop {
                    seen.look_at(client.clone()).await;
                }
            });
        }
        load
    }

    fn answered(&self) -> u64 {
        self.seen.answered.load(Ordering::Relaxed)
    }

    fn failures(&self) -> Vec<String> {
        self.seen.failures.lock().unwrap().clone()
    }

    fn slowest(&self) -> Duration {
        *self.seen.slowest.lock().unwrap()
    }

    /// Waits until so many more calls have been answered.
    async fn goes_on(&self, calls: u64) {
        let enough = self.answered() + calls;
        eventually("calls are answered", || self.answered() >= enough).await;
    }
}

impl Seen {
    async fn look_at(&self, client: impl Client<()>) {
        let began = Instant::now();
        let request = Request::get(PATH).body(()).unwrap();
        match client.oneshot(request).await {
            Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => self.failures.lock().unwrap().push(causes(&*error)),
        }
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = began.elapsed().max(*slowest);
    }
}

async fn eventually(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        sleep(SOON).await;
    }
}

/// How many attempts on a backend have failed, and how many are under way.
fn attempts<C>(stack: &Stack<C>, target: &Target) -> (u64, usize) {
    let snapshot = (stack.balance)();
    let mut backends = snapshot.backends.iter();
    let backend = backends.find(|backend| backend.key == *target).unwrap();
    (backend.failures, backend.in_flight)
}

#[derive(Clone, Copy, PartialEq)]
enum Loss {
    Killed,
    Frozen,
}

/// Loses one of four servers under load; gives how long the slowest call took after that.
async fn loses_a_server(loss: Loss) -> Duration {
    let mut fleet = Fleet::start(4).await;
    let stack = fleet.client();
    let load = Load::of(8, &stack.client);
    let lost = fleet.targets()[2].clone();
    eventually("all are called", || {
        (stack.balance)()
            .backends
            .iter()
            .all(|backend| backend.calls > 100)
    })
    .await;

    let (failed, before) = attempts(&stack, &lost);
    match loss {
        Loss::Killed => fleet.servers[2].kill().await.unwrap(),
        Loss::Frozen => fleet.servers[2].freeze().await.unwrap(),
    }
    let (_, after) = attempts(&stack, &lost);
    sleep(2 * TRY_TIMEOUT).await;
    eventually("attempts end", || attempts(&stack, &lost).1 == 0).await;
    load.goes_on(1000).await;

    assert_eq!(load.failures(), [""; 0]);
    let failed = attempts(&stack, &lost).0 - failed;
    let in_flight = before.max(after) as u64;
    assert!(
        failed <= in_flight + 5,
        "{failed} attempts failed, {in_flight} were under way"
    );
    load.slowest()
}

#[tokio::test]
async fn a_killed_server_costs_no_call_and_few_attempts() {
    loses_a_server(Loss::Killed).await;
}

#[tokio::test]
async fn a_silent_server_costs_its_calls_one_timeout_each() {
    let slowest = loses_a_server(Loss::Frozen).await;

    assert!(slowest < 2 * TRY_TIMEOUT, "a call took {slowest:?}");
}

#[tokio::test]
async fn calls_are_answered_soon_after_the_first_server_is_back() {
    let mut fleet = Fleet::start(4).await;
    let stack = fleet.client();
    let load = Load::of(4, &stack.client);
    load.goes_on(1000).await;
    for server in &mut fleet.servers {
        server.kill().await.unwrap();
    }
    eventually("calls fail", || !load.failures().is_empty()).await;

    let (busy, connects, began) = (busy(), stack.pool.stats().total.failed, Instant::now());
    sleep(DEADLINE).await;
    let busy = self::busy() - busy;
    let connects = stack.pool.stats().total.failed - connects;
    let elapsed = began.elapsed();
    fleet.servers[0].start_again().await.unwrap();
    let back = Instant::now();
    load.goes_on(1).await;

    assert!(
        back.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        back.elapsed()
    );
    assert!(
        busy < elapsed / 10,
        "busy for {busy:?} of {elapsed:?} with nothing to do"
    );
    let most = 4.0 * (elapsed.as_secs_f64() / CONNECT_TIMEOUT.as_secs_f64() + 1.0);
    assert!(
        connects as f64 <= most,
        "{connects} connects in {elapsed:?}"
    );
}

/// How long the runtime of this test has been at work.
fn busy() -> Duration {
    Handle::current().metrics().worker_total_busy_duration(0)
}

#[tokio::test]
async fn ten_servers_are_restarted_one_by_one_and_no_call_fails() {
    let mut fleet = Fleet::start(10).await;
    let stack = fleet.client();
    let load = Load::of(16, &stack.client);
    let connected = |connections: u64| {
        let targets = stack.pool.stats().targets;
        targets.len() == 10 && targets.iter().all(|(_, stats)| stats.opened >= connections)
    };
    eventually("all are connected to", || connected(1)).await;

    for server in &mut fleet.servers {
        server.shut_down().await.unwrap();
        server.start_again().await.unwrap();
        load.goes_on(200).await;
    }

    eventually("all are connected to again", || connected(2)).await;
    assert_eq!(load.failures(), [""; 0]);
    for (target, stats) in stack.pool.stats().targets {
        assert!(stats.opened <= 2, "{target}: {stats:?}");
    }
}

/// What the example shows.
#[tokio::test]
async fn no_call_fails_while_servers_are_slow_fail_die_fall_silent_and_are_restarted() {
    let _alone = Fleet::start(0).await;
    let example = Example::start("stack", &[]);

    let (status, said) = tokio::task::spawn_blocking(|| example.end()).await.unwrap();

    assert!(status.success(), "{said:#?}");
    let summary = said.last().unwrap();
    assert!(summary.starts_with("summary calls="), "{said:#?}");
    assert!(summary.contains(" failed=0 "), "{said:#?}");
}
