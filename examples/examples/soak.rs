//! The client of `stack` for as long as you like, under random faults: memory and descriptors stay
//! as they are, and all counters add up.
//!
//! ```sh
//! cargo run --release --example soak -- --minutes 10
//! ```
//!
//! The seed that it prints, given as `--seed`, has the same faults befall the same servers, in the
//! same order and with the same pauses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs};

use axum::http::Request;
use examples::servers::{Credentials, Order, ServerProcess};
use examples::stack::{Client, Figures, PATH, echo, stack};
use examples::{BoxError, causes, servers, trial};
use fastrand::Rng;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, interval, sleep, timeout};
use tower::ServiceExt;
use wt_connection::{Connector, Endpoint, Target};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => servers::serve(address.parse()?).await,
        ["--minutes", minutes] => soak(minutes.parse()?, fastrand::u64(..)).await,
        ["--minutes", minutes, "--seed", seed] => soak(minutes.parse()?, seed.parse()?).await,
        _ => Err("usage: soak --minutes N [--seed SEED]".into()),
    }
}

async fn soak(minutes: u32, seed: u64) -> Result<(), BoxError> {
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let credentials = Credentials::generate()?;
    let mut servers = trial::fleet(4, &credentials).await?;
    let targets = servers.iter().map(|server| Target::from(server.address()));
    let endpoint = Endpoint::client(credentials.trust()?)?;
    let stack = stack(Connector::new(endpoint.clone()), targets, echo);
    let end = Instant::now() + 60 * SECOND * minutes;

    let calls = Calls::default();
    let mut samples = Vec::new();
    let load = load(stack.client.clone(), calls.clone(), rng.fork(), end);
    let faults = faults(&mut servers, rng, end);
    tokio::select! {
        ((), done) = async { tokio::join!(load, faults) } => done?,
        () = watch(&stack.figures, &calls, &mut samples) => {}
    }

    // If something is under way for longer, it is told.
    let _ = timeout(SILENCE, given_back(&stack.figures)).await;
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
    /// Calls that were begun, whatever became of them.
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

    /// A call that panics has failed.
    fn ended(&self, ended: Result<Ended, JoinError>) {
        let mut seen = self.lock();
        match ended.unwrap_or_else(|panic| Some(Err(panic.into()))) {
            Some(Ok(())) => seen.ok += 1,
            Some(Err(error)) => *seen.failures.entry(causes(&*error)).or_default() += 1,
            None => seen.given_up += 1,
        }
    }

    /// What does not add up, now that nothing is under way.
    fn add_up(&self, figures: &Figures<Target>) -> Vec<String> {
        let seen = self.lock();
        let (balance, retries) = (figures.balance(), figures.retries());
        let pool = figures.pool().total;
        let ended = seen.ok + seen.failed() + seen.given_up;
        let sums = [
            ("calls that have ended", ended, seen.made),
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
        // A call is no attempt that is given up, or whose time is over, before a server is ready; an
        // attempt that is given up is neither answered nor failed.
        let first = retries.attempts - retries.retries;
        let parts = [
            ("answered calls", seen.ok, first),
            ("first attempts", first, seen.made),
            (
                "attempts of the balancer's",
                balance.calls,
                retries.attempts,
            ),
            (
                "answered calls, and failed ones of the balancer's",
                seen.ok + balance.failures,
                balance.calls,
            ),
        ];
        let more = parts.iter().filter(|(_, part, whole)| part > whole);
        faults.extend(more.map(|(what, part, whole)| format!("{what}: {part}, of {whole}")));
        faults.extend(
            seen.failures
                .iter()
                .map(|(why, calls)| format!("{calls}: {why}")),
        );
        faults
    }
}

/// Calls at a steady pace, one in fifty of which is given up at once or later.
async fn load(client: impl Client<()>, calls: Calls, mut rng: Rng, end: Instant) {
    let mut pace = interval(PACE);
    let mut under_way = JoinSet::new();
    while pace.tick().await < end {
        while let Some(ended) = under_way.try_join_next() {
            calls.ended(ended);
        }
        let patience = match rng.u8(..50) {
            0 => Duration::from_micros(rng.u64(..2_000)),
            _ => Duration::MAX,
        };
        calls.lock().made += 1;
        under_way.spawn(one(client.clone(), patience));
    }
    while let Some(ended) = under_way.join_next().await {
        calls.ended(ended);
    }
}

/// How a call ends; nothing if it is given up before.
type Ended = Option<Result<(), BoxError>>;

async fn one(client: impl Client<()>, patience: Duration) -> Ended {
    let call = async {
        let request = Request::get(PATH).body(())?;
        client.oneshot(request).await
    };
    timeout(patience, call).await.ok()
}

/// Waits until nothing is under way: no call, and no session that was given up.
async fn given_back(figures: &Figures<Target>) {
    let in_use = || figures.balance().in_flight + figures.pool().total.lent;
    while in_use() > 0 {
        sleep(SECOND / 10).await;
    }
}

/// Something befalls one server after the other, and never more than two at a time.
async fn faults(servers: &mut [ServerProcess], mut rng: Rng, end: Instant) -> Result<(), BoxError> {
    let began = Instant::now();
    let mut ill: Option<usize> = None;
    while Instant::now() < end {
        let next = rng.usize(..servers.len());
        if ill == Some(next) {
            continue;
        }
        let fault = Fault::any(&mut rng);
        println!(
            "{:>4} s: server {}: {fault:?}",
            began.elapsed().as_secs(),
            next + 1
        );
        fault.befall(&mut servers[next]).await?;
        if let Some(last) = ill.replace(next) {
            servers[last].start_again().await?;
        }
        sleep(Duration::from_millis(rng.u64(500..4_000))).await;
    }
    Ok(())
}

/// What befalls a server, until it is started again.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Freeze,
    Fail,
    Slow(Duration),
    ShutDown,
}

impl Fault {
    fn any(rng: &mut Rng) -> Self {
        match rng.u8(..5) {
            0 => Self::Kill,
            1 => Self::Freeze,
            2 => Self::Fail,
            3 => Self::Slow(Duration::from_millis(rng.u64(..400))),
            _ => Self::ShutDown,
        }
    }

    async fn befall(self, server: &mut ServerProcess) -> Result<(), BoxError> {
        match self {
            Self::Kill => server.kill().await?,
            Self::Freeze => server.freeze().await?,
            Self::Fail => server.tell(Order::Fail).await?,
            Self::Slow(by) => server.tell(Order::Slow(by)).await?,
            Self::ShutDown => server.shut_down().await?,
        }
        Ok(())
    }
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
    if quarter == 0 {
        println!("{} samples do not tell what grows", samples.len());
        return Vec::new();
    }
    let early = &samples[quarter..2 * quarter];
    let late = &samples[samples.len() - quarter..];
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
/// How long a session that was given up may keep its slot if its server is silent: it waits until
/// what was sent has arrived, and again for the answer to its close, for 10 s each.
const SILENCE: Duration = Duration::from_secs(25);
const WATCH: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);
