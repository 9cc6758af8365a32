//! How many calls does a client give to a backend that has gone down?

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep_until};
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};
use wt_balance::BalanceLayer;

use crate::clients::Client;
use crate::paused;
use crate::world::{Backend, Calls, Does, Server, ms};

const DOWN: f64 = 10_000.0;
const SPAN: f64 = 40_000.0;
const BACKENDS: usize = 10;

/// The most that any client has given it beyond what was under way then, whether it refuses calls
/// or swallows them.
pub(crate) fn measure() -> u64 {
    println!(
        "\ncalls that a client loses to a backend that is down, at most, beyond those in flight\n"
    );
    println!("| clients | it refuses calls | it swallows them, with a timeout of 1 s below |");
    println!("| --- | --- | --- |");
    let mut most = 0;
    for clients in [1, 5, 30] {
        let refused = lost(clients, |place, at| down(place, at, Does::Fail));
        let swallowed = lost(clients, |place, at| down(place, at, Does::Hang));
        println!("| {clients} | {refused} | {swallowed} |");
        most = most.max(refused).max(swallowed);
    }
    most
}

fn down(place: usize, at: f64, how: Does) -> Does {
    if place == 3 && at >= DOWN {
        return how;
    }
    Does::Take(10.0)
}

fn lost(clients: usize, does: fn(usize, f64) -> Does) -> u64 {
    fastrand::seed(1);
    paused().block_on(async {
        let servers: Vec<_> = (0..BACKENDS)
            .map(|place| Server::new(place, does))
            .collect();
        let mut all = Vec::new();
        for _ in 0..clients {
            let backends: Vec<_> = servers.iter().map(Backend::new).collect();
            let to_it = Arc::clone(&backends[3].calls);
            all.push((client(backends), to_it));
        }
        let before = calls(&all).await;
        let after = all.iter().map(|(_, to_it)| begun(to_it));
        after
            .zip(before)
            .map(|(after, before)| after - before)
            .max()
            .unwrap()
    })
}

fn begun(calls: &Calls) -> u64 {
    calls.begun.load(Ordering::Relaxed)
}

fn client(backends: Vec<Backend>) -> Client {
    let layer = BalanceLayer::new(0..BACKENDS).decay(ms(10_000.0));
    let maker = move |place: usize| Timeout::new(backends[place].clone(), ms(1000.0));
    BoxCloneSyncService::new(layer.layer(maker))
}

/// What each client had given it when it went down.
async fn calls(all: &[(Client, Arc<Calls>)]) -> Vec<u64> {
    let began = Instant::now();
    let rate = 0.7 * 9.0 * 0.4;
    let mut random = fastrand::Rng::with_seed(7);
    let mut before = None;
    let mut at = 0.0;
    while at < SPAN {
        at -= (1.0 - random.f64()).ln() / rate;
        if at >= DOWN && before.is_none() {
            before = Some(all.iter().map(|(_, to_it)| begun(to_it)).collect());
        }
        sleep_until(began + ms(at)).await;
        let client = all[random.usize(..all.len())].0.clone();
        tokio::spawn(client.oneshot(()));
    }
    before.unwrap()
}
