use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tower::{Service, ServiceExt, service_fn};
use wt_retry::backoff::Constant;

use crate::paused;
use crate::stacks::{BOUNDS, Bound, Client, Failed, client};

const CALLS_PER_SECOND: u32 = 1000;
const SOUND_SECONDS: u32 = 10;
const BAD_SECONDS: u32 = 30;
const ATTEMPTS: u32 = 3;
const SHARES: [f64; 4] = [0.05, 0.3, 0.5, 1.0];

pub(crate) fn measure() -> Vec<String> {
    println!("\nattempts for each call, and calls answered, while a share of the attempts fail:\n");
    println!("| bound | 5 % | 30 % | 50 % | 100 % | retries in the first second of 100 % |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut lines = Vec::new();
    for (bound, name) in BOUNDS {
        let outages = SHARES.map(|share| outage(bound, share));
        let cells = outages
            .each_ref()
            .map(|outage| format!("{:.3}× {:.2} %", outage.amplification(), outage.answered()));
        let burst = outages[3].first_second;
        println!("| {name} | {} | {burst} |", cells.join(" | "));
        if bound == Bound::Ratio {
            lines = vec![
                format!(
                    "value amplification_50pct {:.4}",
                    outages[2].amplification()
                ),
                format!(
                    "value amplification_100pct {:.4}",
                    outages[3].amplification()
                ),
                format!("value first_second_burst {burst}"),
                format!("value success_at_5pct {:.3}", outages[0].answered()),
            ];
        }
    }
    lines
}

struct Outage {
    calls: u64,
    answers: u64,
    attempts: u64,
    /// Retries of the calls of the first bad second.
    first_second: u64,
}

impl Outage {
    fn amplification(&self) -> f64 {
        self.attempts as f64 / self.calls as f64
    }

    fn answered(&self) -> f64 {
        100.0 * self.answers as f64 / self.calls as f64
    }
}

fn outage(bound: Bound, share: f64) -> Outage {
    let rng = Mutex::new(Rng::with_seed(1));
    let failing = Arc::new(Mutex::new(0.0));
    let attempts = Arc::new(AtomicU64::new(0));
    let (fails, counted) = (Arc::clone(&failing), Arc::clone(&attempts));
    let rng = Arc::new(rng);
    let service = service_fn(move |()| {
        counted.fetch_add(1, Ordering::Relaxed);
        let failed = rng.lock().unwrap().f64() < *fails.lock().unwrap();
        ready(if failed { Err(Failed) } else { Ok(()) })
    });
    paused().block_on(async {
        let mut client = client(bound, ATTEMPTS, Constant::new(Duration::ZERO), service);
        second_by_second(&mut client, SOUND_SECONDS).await;
        *failing.lock().unwrap() = share;
        attempts.store(0, Ordering::Relaxed);
        let first = second_by_second(&mut client, 1).await;
        let first_second = attempts.load(Ordering::Relaxed) - u64::from(CALLS_PER_SECOND);
        let rest = second_by_second(&mut client, BAD_SECONDS - 1).await;
        Outage {
            calls: u64::from(BAD_SECONDS * CALLS_PER_SECOND),
            answers: first + rest,
            attempts: attempts.load(Ordering::Relaxed),
            first_second,
        }
    })
}

/// Calls for so many seconds; says how many calls were answered.
async fn second_by_second(client: &mut Client, seconds: u32) -> u64 {
    let mut answers = 0;
    for _ in 0..seconds * CALLS_PER_SECOND {
        let result = client.ready().await.unwrap().call(()).await;
        answers += u64::from(result.is_ok());
        tokio::time::advance(Duration::from_secs(1) / CALLS_PER_SECOND).await;
    }
    answers
}
