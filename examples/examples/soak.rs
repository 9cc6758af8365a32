//! The client of `stack` for as long as you like, under random faults: memory and descriptors stay
//! as they are, and all counters add up.
//!
//! ```sh
//! cargo run --release --example soak -- --minutes 10
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs};

use axum::http::Request;
use examples::servers::{Credentials, Order, ServerProcess};
use examples::stack::{Client, DEADLINE, Figures, PATH, echo, stack};
use examples::{BoxError, causes, servers, trial};
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tower::ServiceExt;
use wt_connection::{Connector, Endpoint, Target};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => servers::serve(address.parse()?).await,
        ["--minutes", minutes] => soak(Duration::from_secs(60 * minutes.parse::<u64>()?)).await,
        _ => Err("usage: soak --minutes N".into()),
    }
}

async fn soak(length: Duration) -> Result<(), BoxError> {
    let credentials = Credentials::generate()?;
    let mut servers = trial::fleet(4, &credentials).await?;
    let targets = servers.iter().map(|server| Target::from(server.address()));
    let endpoint = Endpoint::client(credentials.trust()?)?;
    let stack = stack(Connector::new(endpoint.clone()), targets, echo);
    let end = Instant::now() + length;

    let calls = Calls::default();
    let mut samples = Vec::new();
    tokio::select! {
        ((), done) = async {
            tokio::join!(load(stack.client.clone(), calls.clone(), end), faults(&mut servers, end))
        } => done?,
        () = watch(&stack.figures, &calls, &mut samples) => {}
    }

    // Calls that were given up have been looked after by then.
    sleep(2 * DEADLINE).await;
    let mut faults = calls.add_up(&stack.figures);
    faults.extend(flat(&samples));
    drop(stack);
    endpoint.close(0, "").await;
    let calls = calls.lock();
    println!(
        "calls={} ok={} failed={}",
        calls.made,
        calls.ok,
        calls.failed()
    );
    match faults[..] {
        [] => Ok(()),
        _ => Err(faults.join("; ").into()),
    }
}

/// What callers have seen.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    made: u64,
    ok: u64,
    given_up: u64,
    failures: BTreeMap<String, u64>,
}

impl Seen {
    fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl Calls {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What does not add up, now that nothing is under way.
    fn add_up(&self, figures: &Figures<Target>) -> Vec<String> {
        let seen = self.lock();
        let (balance, retries) = (figures.balance(), figures.retries());
        let pool = figures.pool().total;
        let sums = [
            ("calls", seen.made, seen.ok + seen.failed() + seen.given_up),
            ("failed calls", seen.failed(), 0),
            (
                "calls of the balancer's under way",
                balance.in_flight as u64,
                0,
            ),
            ("slots lent", pool.lent as u64, 0),
            ("waiters", pool.waiting as u64, 0),
            (
                "connections",
                pool.opened,
                pool.open as u64 + pool.closed.sum(),
            ),
        ];
        let unequal = sums.iter().filter(|(_, left, right)| left != right);
        let mut faults: Vec<_> = unequal
            .map(|(what, left, right)| format!("{what}: {left}, not {right}"))
            .collect();
        // A call that is given up while it waits is no attempt of the balancer's.
        if balance.calls > retries.attempts {
            faults.push(format!(
                "{} calls of {} attempts",
                balance.calls, retries.attempts
            ));
        }
        if retries.attempts - retries.retries > seen.made {
            faults.push(format!("{retries:?} of {} calls", seen.made));
        }
        faults.extend(
            seen.failures
                .iter()
                .map(|(why, calls)| format!("{calls}: {why}")),
        );
        faults
    }
}

/// Calls at a steady pace, one in fifty of which is given up at once or later.
async fn load(client: impl Client<()>, calls: Calls, end: Instant) {
    let mut rng = Rng::with_seed(1);
    let mut pace = interval(PACE);
    let mut under_way = JoinSet::new();
    while pace.tick().await < end {
        while under_way.try_join_next().is_some() {}
        let patience = match rng.u8(..50) {
            0 => Duration::from_micros(rng.u64(..2_000)),
            _ => Duration::MAX,
        };
        under_way.spawn(one(client.clone(), calls.clone(), patience));
    }
    while under_way.join_next().await.is_some() {}
}

async fn one(client: impl Client<()>, calls: Calls, patience: Duration) {
    let call = async {
        let request = Request::get(PATH).body(())?;
        client.oneshot(request).await
    };
    let answered = tokio::time::timeout(patience, call).await;
    let mut seen = calls.lock();
    seen.made += 1;
    match answered {
        Ok(Ok(())) => seen.ok += 1,
        Ok(Err(error)) => *seen.failures.entry(causes(&*error)).or_default() += 1,
        Err(_) => seen.given_up += 1,
    }
}

/// Something befalls one server after the other, and never more than two at a time.
async fn faults(servers: &mut [ServerProcess], end: Instant) -> Result<(), BoxError> {
    let mut rng = Rng::new();
    let mut ill: Option<usize> = None;
    while Instant::now() < end {
        let next = rng.usize(..servers.len());
        if ill == Some(next) {
            continue;
        }
        befall(&mut servers[next], &mut rng).await?;
        if let Some(last) = ill.replace(next) {
            servers[last].start_again().await?;
        }
        sleep(Duration::from_millis(rng.u64(500..4_000))).await;
    }
    Ok(())
}

async fn befall(server: &mut ServerProcess, rng: &mut Rng) -> Result<(), BoxError> {
    match rng.u8(..5) {
        0 => server.kill().await?,
        1 => server.freeze().await?,
        2 => server.tell(Order::Fail).await?,
        3 => {
            server
                .tell(Order::Slow(Duration::from_millis(rng.u64(..400))))
                .await?;
        }
        _ => server.shut_down().await?,
    }
    Ok(())
}

/// What this process has taken of the system, at one time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    kibibytes: u64,
    descriptors: usize,
}

/// Never ends.
async fn watch(figures: &Figures<Target>, calls: &Calls, samples: &mut Vec<Sample>) {
    let began = Instant::now();
    let mut pace = interval(WATCH);
    loop {
        pace.tick().await;
        let Some(sample) = sample() else { continue };
        samples.push(sample);
        let (seen, pool) = (calls.lock(), figures.pool().total);
        println!(
            "{:>4} s: {} calls, {} retries, {} failed, {} connections; {} KiB, {} descriptors",
            began.elapsed().as_secs(),
            seen.made,
            figures.retries().retries,
            seen.failed(),
            pool.open,
            sample.kibibytes,
            sample.descriptors,
        );
    }
}

/// What has grown from the second quarter of the time, when all is warm, to the last.
fn flat(samples: &[Sample]) -> Vec<String> {
    let quarter = samples.len() / 4;
    let (Some(early), Some(late)) = (
        samples.get(quarter..2 * quarter),
        samples.rchunks(quarter.max(1)).next(),
    ) else {
        return Vec::new();
    };
    let most = |samples: &[Sample]| {
        let kibibytes = samples.iter().map(|sample| sample.kibibytes).max();
        let descriptors = samples.iter().map(|sample| sample.descriptors).max();
        (
            kibibytes.unwrap_or_default(),
            descriptors.unwrap_or_default(),
        )
    };
    let (before, after) = (most(early), most(late));
    println!(
        "at most {} KiB and {} descriptors, then {} and {}",
        before.0, before.1, after.0, after.1
    );
    let mut grown = Vec::new();
    if after.0 > before.0 + before.0 / 10 + 4 * 1024 {
        grown.push(format!("memory grew from {} to {} KiB", before.0, after.0));
    }
    if after.1 > before.1 + 4 {
        grown.push(format!("descriptors grew from {} to {}", before.1, after.1));
    }
    grown
}

/// Nothing where the system does not tell.
fn sample() -> Option<Sample> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    let descriptors = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(Sample {
        kibibytes,
        descriptors,
    })
}

const PACE: Duration = Duration::from_millis(5);
const WATCH: Duration = Duration::from_secs(5);
