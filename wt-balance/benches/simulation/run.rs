use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt;

use crate::clients::{Client, Kind};
use crate::paused;
use crate::scenarios::Scenario;
use crate::world::{Backend, Server, ms, to_ms};

const SPAN: f64 = 30_000.0;
const WARM: f64 = 5_000.0;
const TIMEOUT: f64 = 2_000.0;

/// What the clients of one run have seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// In milliseconds; a call that was given up counts as its timeout.
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// In per cent of all calls.
    pub(crate) errors: f64,
    /// The most of all calls that one backend had in any second, in per cent.
    pub(crate) busiest: f64,
}

/// Each call: when it began and how long it took, in milliseconds, and whether it succeeded.
type Log = Arc<Mutex<Vec<(f64, f64, bool)>>>;

pub(crate) fn run(scenario: &Scenario, kind: Kind) -> Seen {
    fastrand::seed(1);
    let log = Log::default();
    let mut busiest = 0.0;
    paused().block_on(async {
        let servers: Vec<_> = (0..scenario.backends)
            .map(|place| Server::new(place, scenario.does))
            .collect();
        let clients = (0..scenario.clients).map(|n| {
            let backends = servers.iter().map(Backend::new).collect();
            kind.client(backends, n as u64)
        });
        let clients: Vec<_> = clients.collect();
        let sound = scenario.capacity * scenario.load;
        let all = arrivals(&clients, sound, &log);
        (_, busiest) = tokio::join!(all, watch(&servers));
    });
    let log = log.lock().unwrap();
    let failed = log.iter().filter(|(_, _, good)| !good).count();
    let mut took: Vec<_> = log
        .iter()
        .filter(|(at, _, _)| *at >= WARM)
        .map(|(_, took, _)| *took)
        .collect();
    took.sort_by(f64::total_cmp);
    Seen {
        p99: took[took.len() * 99 / 100],
        p999: took[took.len() * 999 / 1000],
        errors: 100.0 * failed as f64 / log.len() as f64,
        busiest,
    }
}

/// Calls as they come, whether or not others are answered.
async fn arrivals(clients: &[Client], sound: f64, log: &Log) {
    let began = Instant::now();
    // A sound backend does 4 calls in 10 ms.
    let rate = sound * 0.4;
    let mut random = fastrand::Rng::with_seed(7);
    let mut at = 0.0;
    while at < SPAN {
        at -= (1.0 - random.f64()).ln() / rate;
        sleep_until(began + ms(at)).await;
        let client = clients[random.usize(..clients.len())].clone();
        tokio::spawn(call(client, at, Arc::clone(log)));
    }
    sleep_until(began + ms(SPAN + 2.0 * TIMEOUT)).await;
}

/// Second by second.
async fn watch(servers: &[Arc<Server>]) -> f64 {
    let began = Instant::now();
    let mut busiest: f64 = 0.0;
    let mut at = WARM;
    sleep_until(began + ms(at)).await;
    while at < SPAN {
        let begun = || {
            servers
                .iter()
                .map(|server| server.begun.load(Ordering::Relaxed))
        };
        let before: Vec<_> = begun().collect();
        at += 1000.0;
        sleep_until(began + ms(at)).await;
        let calls: Vec<_> = begun()
            .zip(before)
            .map(|(now, before)| now - before)
            .collect();
        let most = calls.iter().max().unwrap();
        busiest = busiest.max(100.0 * *most as f64 / calls.iter().sum::<u64>() as f64);
    }
    busiest
}

async fn call(client: Client, at: f64, log: Log) {
    let since = Instant::now();
    let result = timeout(ms(TIMEOUT), client.oneshot(())).await;
    let good = matches!(result, Ok(Ok(())));
    log.lock().unwrap().push((at, to_ms(since.elapsed()), good));
}
