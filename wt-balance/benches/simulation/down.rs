//! How many calls does a client give to a backend that has gone down, and how soon is it used again
//! when it is back?

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
/// By then, every client knows that it is down.
const KNOWN: f64 = 13_000.0;
const BACK: f64 = 40_000.0;
const SPAN: f64 = 55_000.0;
const BACKENDS: usize = 10;
const PLACE: usize = 3;

/// The most that any client has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Calls that it gave the backend in the first three seconds, beyond those under way.
    pub(crate) lost: u64,
    /// Calls that it gave it in the 27 seconds after these.
    pub(crate) tried: u64,
    /// Milliseconds after its return until it gave it a call.
    pub(crate) unused: f64,
    /// The share of calls that all gave it in the ten seconds before the end; a tenth is fair.
    pub(crate) share: f64,
}

/// The worst of all, whether the backend refuses calls or swallows them.
pub(crate) fn measure() -> Seen {
    println!(
        "\na backend that is down for 30 s: calls that a client gives it in the first 3 s, beyond \
         those under way, and in the other 27 s; milliseconds until it is used again when it is back, \
         at most, and its share of the calls then\n"
    );
    println!("| clients | it refuses calls | it swallows them, with a timeout of 1 s below |");
    println!("| --- | --- | --- |");
    let mut worst = Seen {
        share: f64::INFINITY,
        ..Seen::default()
    };
    for clients in [1, 5, 30] {
        let refused = seen(clients, |place, at| does(place, at, Does::Fail));
        let swallowed = seen(clients, |place, at| does(place, at, Does::Hang));
        println!("| {clients} | {} | {} |", cell(refused), cell(swallowed));
        for seen in [refused, swallowed] {
            worst = Seen {
                lost: worst.lost.max(seen.lost),
                tried: worst.tried.max(seen.tried),
                unused: worst.unused.max(seen.unused),
                share: worst.share.min(seen.share),
            };
        }
    }
    worst
}

fn cell(seen: Seen) -> String {
    let Seen {
        lost,
        tried,
        unused,
        share,
    } = seen;
    format!("{lost} and {tried}; {unused:.0}; {:.1} %", 100.0 * share)
}

fn does(place: usize, at: f64, how: Does) -> Does {
    if place == PLACE && (DOWN..BACK).contains(&at) {
        return how;
    }
    Does::Take(10.0)
}

fn seen(clients: usize, does: fn(usize, f64) -> Does) -> Seen {
    fastrand::seed(1);
    paused().block_on(async {
        let servers: Vec<_> = (0..BACKENDS)
            .map(|place| Server::new(place, does))
            .collect();
        let all = (0..clients).map(|_| One::new(&servers));
        let mut all: Vec<_> = all.collect();
        arrivals(&mut all).await;
        let most = |figure: fn(&One) -> u64| all.iter().map(figure).max().unwrap();
        let unused = all.iter().map(|one| one.unused).max_by(f64::total_cmp);
        let late: u64 = all.iter().map(|one| one.all_late).sum();
        let to_it: u64 = all.iter().map(|one| one.begun() - one.late).sum();
        Seen {
            lost: most(|one| one.known - one.down),
            tried: most(|one| one.back - one.known),
            unused: unused.unwrap(),
            share: to_it as f64 / late as f64,
        }
    })
}

/// A client, and how many calls it had given the backend at each time.
struct One {
    client: Client,
    to_it: Arc<Calls>,
    down: u64,
    known: u64,
    back: u64,
    unused: f64,
    late: u64,
    all_late: u64,
}

impl One {
    fn new(servers: &[Arc<Server>]) -> Self {
        let backends: Vec<_> = servers.iter().map(Backend::new).collect();
        Self {
            to_it: Arc::clone(&backends[PLACE].calls),
            client: client(backends),
            down: 0,
            known: 0,
            back: 0,
            unused: SPAN - BACK,
            late: 0,
            all_late: 0,
        }
    }

    fn begun(&self) -> u64 {
        self.to_it.begun.load(Ordering::Relaxed)
    }

    /// What it has given it by then, the last call of which came `before`.
    fn look(&mut self, before: f64, at: f64) {
        let begun = self.begun();
        for (since, figure) in [
            (DOWN, &mut self.down),
            (KNOWN, &mut self.known),
            (BACK, &mut self.back),
            (SPAN - 10_000.0, &mut self.late),
        ] {
            if before < since {
                *figure = begun;
            }
        }
        if at >= BACK && begun > self.back {
            self.unused = self.unused.min(at - BACK);
        }
    }
}

fn client(backends: Vec<Backend>) -> Client {
    let layer = BalanceLayer::new(0..BACKENDS)
        .decay(ms(10_000.0))
        .rest(ms(4000.0));
    let maker = move |place: usize| Timeout::new(backends[place].clone(), ms(1000.0));
    BoxCloneSyncService::new(layer.layer(maker))
}

async fn arrivals(all: &mut [One]) {
    let began = Instant::now();
    let rate = 0.7 * 9.0 * 0.4;
    let mut random = fastrand::Rng::with_seed(7);
    let mut at = 0.0;
    while at < SPAN {
        let before = at;
        at -= (1.0 - random.f64()).ln() / rate;
        // That before has begun by then.
        sleep_until(began + ms(at)).await;
        all.iter_mut().for_each(|one| one.look(before, at));
        let one = random.usize(..all.len());
        let one = &mut all[one];
        one.all_late += u64::from(at >= SPAN - 10_000.0);
        tokio::spawn(one.client.clone().oneshot(()));
    }
}
