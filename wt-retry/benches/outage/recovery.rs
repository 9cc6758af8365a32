use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{ServiceExt, service_fn};
use wt_retry::backoff::Exponential;

use crate::paused;
use crate::stacks::{BOUNDS, Bound, Client, Failed, client};

/// What the server needs for one attempt, one after the other: 1,000 in a second.
const WORK: Duration = Duration::from_millis(1);
/// Seven calls each ten milliseconds: 70 % of that.
const TICK: Duration = Duration::from_millis(10);
const CALLS_PER_TICK: usize = 7;
const ATTEMPTS: u32 = 4;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

const SOUND: Duration = Duration::from_secs(10);
const AWAY: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(30);

/// Goodput is counted in spans of this length.
const SPAN: Duration = Duration::from_millis(250);
const LASTS: usize = 8;

pub(crate) fn measure() -> Vec<String> {
    println!("\na server at 70 % load that was away for {AWAY:?}: when 95 % are answered again\n");
    println!("| bound | after | attempts for each call in the first second |");
    println!("| --- | --- | --- |");
    let mut lines = Vec::new();
    for (bound, name) in BOUNDS {
        let (recovered, load) = paused().block_on(outage(bound));
        let after = recovered.map_or_else(
            || format!("not within {AFTER:?}"),
            |after| format!("{:.2} s", after.as_secs_f64()),
        );
        println!("| {name} | {after} | {load:.2} |");
        if bound == Bound::Ratio {
            let after = recovered.unwrap_or(Duration::MAX).as_secs_f64();
            lines.push(format!("value recovery_s {after:.2}"));
        }
    }
    lines
}

/// Says when the server was recovered, and the attempts for each call in the first second after.
async fn outage(bound: Bound) -> (Option<Duration>, f64) {
    let server = Arc::new(Mutex::new(Server::new(Instant::now() + SOUND)));
    let asked = Arc::clone(&server);
    let service = service_fn(move |()| attempt(Arc::clone(&asked)));
    let client = client(bound, ATTEMPTS, Exponential::default().seed(1), service);
    let answers = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now();
    while began.elapsed() < SOUND + AWAY + AFTER {
        for _ in 0..CALLS_PER_TICK {
            tokio::spawn(call(client.clone(), Arc::clone(&answers)));
        }
        sleep(TICK).await;
    }
    let back = began + SOUND + AWAY;
    let answers = answers.lock().unwrap().clone();
    let load = server.lock().unwrap().after as f64 / 700.0;
    (recovered(&answers, back), load)
}

async fn call(client: Client, answers: Arc<Mutex<Vec<Instant>>>) {
    if client.oneshot(()).await.is_ok() {
        answers.lock().unwrap().push(Instant::now());
    }
}

/// The end of the first span after which goodput stays at 95 %.
fn recovered(answers: &[Instant], back: Instant) -> Option<Duration> {
    let offered = CALLS_PER_TICK as f64 * SPAN.as_secs_f64() / TICK.as_secs_f64();
    let spans = AFTER.as_nanos() / SPAN.as_nanos();
    let good: Vec<bool> = (0..spans as u32)
        .map(|span| {
            let from = back + span * SPAN;
            let within = |at: &&Instant| (from..from + SPAN).contains(*at);
            answers.iter().filter(within).count() as f64 >= 0.95 * offered
        })
        .collect();
    let first = good
        .windows(LASTS)
        .position(|spans| spans.iter().all(|good| *good))?;
    Some((first as u32 + 1) * SPAN)
}

/// Works through what it was asked in order, whether or not somebody still waits for it.
struct Server {
    away: Instant,
    busy_until: Instant,
    /// Attempts in the first second after it was away.
    after: u32,
}

impl Server {
    fn new(away: Instant) -> Self {
        Self {
            away,
            busy_until: away,
            after: 0,
        }
    }

    /// When an attempt is answered; `None` while the server is away.
    fn ask(&mut self, now: Instant) -> Option<Instant> {
        let back = self.away + AWAY;
        if (self.away..back).contains(&now) {
            return None;
        }
        let second = Duration::from_secs(1);
        self.after += u32::from((back..back + second).contains(&now));
        if now < self.away {
            return Some(now + WORK);
        }
        self.busy_until = self.busy_until.max(now) + WORK;
        Some(self.busy_until)
    }
}

async fn attempt(server: Arc<Mutex<Server>>) -> Result<(), Failed> {
    let answer = server.lock().unwrap().ask(Instant::now()).ok_or(Failed)?;
    timeout(ATTEMPT_TIMEOUT, sleep_until(answer))
        .await
        .map_err(|_| Failed)
}
