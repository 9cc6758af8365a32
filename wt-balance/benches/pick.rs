//! What does it cost to be ready and to call, compared with tower's `p2c::Balance`, and how does
//! that grow?
//!
//! All balance over the same services, which are always ready and answer at once. tower's has
//! `PeakEwma` for its load, and stands alone or behind tower's `Buffer`, which it takes to be
//! cloned as ours is; that comparison is made in a runtime of two threads, as the `Buffer`'s worker
//! is a task. Each figure is the median of alternating rounds. Without an anchor, it shows what it
//! costs to clone a handle for each call, to call from two threads, and while a backend warms up.
//! At last, two threads pick while another makes ten thousand changes.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

#[path = "pick/anchors.rs"]
mod anchors;
#[path = "pick/churn.rs"]
mod churn;
#[path = "pick/rounds.rs"]
mod rounds;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt};
use wt_balance::{
    Adaptive, Balance, BalanceLayer, LeastLatency, LeastRequests, PickFirst, Policy, Random, Ring,
    RoundRobin, Weighted,
};

use crate::rounds::{Measured, Subject, measure};

const CALLS: u32 = 100_000;
const FEW: [u32; 3] = [10, 64, 100];

fn main() {
    let here = Builder::new_current_thread().enable_time().build().unwrap();
    let threads = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let alone = FEW.map(|n| beside_p2c(&here, n));
    let buffered = FEW.map(|n| beside_buffer(&threads, n));
    let growth = beside_fewer(&here);
    otherwise(&here, &threads);
    others(&here);
    let allocations = allocations(&here);
    let churn = churn::measure();

    println!();
    println!("ratio adaptive/tower_p2c_peak_ewma {:.3}", worst(&alone));
    println!(
        "ratio adaptive/buffered_p2c_peak_ewma {:.3}",
        worst(&buffered)
    );
    println!("ratio adaptive_10000/adaptive_100 {:.3}", growth.ratio(1));
    println!("allocs adaptive_call {allocations:.3}");
    println!("value churn_max_pick_us {churn:.1}");
}

/// Of all numbers of backends, the one that is least in our favour.
fn worst(all: &[Measured]) -> f64 {
    all.iter()
        .map(|measured| measured.ratio(1))
        .fold(0.0, f64::max)
}

fn beside_p2c(runtime: &Runtime, n: u32) -> Measured {
    let mut ours = balance(n, Adaptive::default());
    let mut tower = runtime.block_on(async { anchors::p2c(n) });
    measure(
        &format!("ready and call, {n} backends"),
        &mut [
            Subject::new("Adaptive", || runtime.block_on(calls(&mut ours))),
            Subject::new("tower p2c, PeakEwma", || {
                runtime.block_on(calls(&mut tower))
            }),
        ],
    )
}

fn beside_buffer(runtime: &Runtime, n: u32) -> Measured {
    let ours = balance(n, Adaptive::default());
    let tower = runtime.block_on(async { anchors::buffered(n) });
    measure(
        &format!("ready and call in a task of two threads, {n} backends"),
        &mut [
            Subject::new("Adaptive", || spawned(runtime, ours.clone())),
            Subject::new("tower p2c, PeakEwma, Buffer", || {
                spawned(runtime, tower.clone())
            }),
        ],
    )
}

fn beside_fewer(runtime: &Runtime) -> Measured {
    let mut many = balance(10_000, Adaptive::default());
    let mut few = balance(100, Adaptive::default());
    measure(
        "ready and call, Adaptive",
        &mut [
            Subject::new("10,000 backends", || runtime.block_on(calls(&mut many))),
            Subject::new("100 backends", || runtime.block_on(calls(&mut few))),
        ],
    )
}

/// Not one handle for all calls: a clone for each, as a server does; and two tasks at once, which
/// share the figures.
fn otherwise(here: &Runtime, threads: &Runtime) {
    for n in FEW {
        let ours = balance(n, Adaptive::default());
        let mut same = ours.clone();
        let layer = BalanceLayer::new(0..n).slow_start(Duration::from_secs(3600));
        let mut warming = layer.layer(|_| Answering);
        // It warms up for as long as the others have been there: longer than this takes.
        here.block_on(async { tokio::time::sleep(Duration::from_secs(3)).await });
        layer.targets().insert(n);
        measure(
            &format!("ready and call with Adaptive, {n} backends"),
            &mut [
                Subject::new("one handle", || here.block_on(calls(&mut same))),
                Subject::new("a clone for each call", || here.block_on(clones(&ours))),
                Subject::new("two tasks of two threads", || two(threads, &ours)),
                Subject::new("one of them warming up", || {
                    here.block_on(calls(&mut warming))
                }),
            ],
        );
    }
}

fn others(runtime: &Runtime) {
    for n in FEW {
        let mut least_requests = balance(n, LeastRequests::default());
        let mut round_robin = balance(n, RoundRobin::default());
        let mut weighted = balance(n, Weighted::default());
        let mut least_latency = balance(n, LeastLatency::default());
        let mut ring = balance(n, Ring::new(|request: &u64| *request));
        let mut pick_first = balance(n, PickFirst::default());
        let mut random = balance(n, Random::default());
        measure(
            &format!("ready and call, {n} backends"),
            &mut [
                Subject::new("LeastRequests", || {
                    runtime.block_on(calls(&mut least_requests))
                }),
                Subject::new("RoundRobin", || runtime.block_on(calls(&mut round_robin))),
                Subject::new("Weighted", || runtime.block_on(calls(&mut weighted))),
                Subject::new("LeastLatency", || {
                    runtime.block_on(calls(&mut least_latency))
                }),
                Subject::new("Ring", || runtime.block_on(calls(&mut ring))),
                Subject::new("PickFirst", || runtime.block_on(calls(&mut pick_first))),
                Subject::new("Random", || runtime.block_on(calls(&mut random))),
            ],
        );
    }
}

fn allocations(runtime: &Runtime) -> f64 {
    let mut ours = balance(64, Adaptive::default());
    // Not counted: what is set up once.
    runtime.block_on(calls(&mut ours));
    let allocated = allocation_counter::measure(|| {
        runtime.block_on(calls(&mut ours));
    });
    allocated.count_total as f64 / f64::from(CALLS)
}

fn balance<P>(n: u32, policy: P) -> Balance<u32, Answering, P>
where
    P: Policy<u64> + Clone,
{
    BalanceLayer::new(0..n).policy(policy).layer(|_| Answering)
}

/// Answers at once.
#[derive(Clone, Copy, Debug)]
struct Answering;

impl Service<u64> for Answering {
    type Response = u64;
    type Error = Infallible;
    type Future = Ready<Result<u64, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(black_box(request)))
    }
}

/// Nanoseconds for one call.
async fn calls<S>(service: &mut S) -> f64
where
    S: Service<u64, Response = u64, Error = BoxError>,
{
    let began = Instant::now();
    for request in 0..u64::from(CALLS) {
        let service = service.ready().await.unwrap();
        assert_eq!(service.call(black_box(request)).await.unwrap(), request);
    }
    began.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

/// As [`calls`], with a clone for each.
async fn clones<S>(service: &S) -> f64
where
    S: Service<u64, Response = u64, Error = BoxError> + Clone,
{
    let began = Instant::now();
    for request in 0..u64::from(CALLS) {
        let answer = service.clone().oneshot(black_box(request)).await;
        assert_eq!(answer.unwrap(), request);
    }
    began.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

/// Nanoseconds for one call of either, both at once.
fn two<S>(runtime: &Runtime, service: &S) -> f64
where
    S: Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let tasks = [(); 2].map(|()| {
        let mut service = service.clone();
        runtime.spawn(async move { calls(&mut service).await })
    });
    let took = tasks.map(|task| runtime.block_on(task).unwrap());
    took.iter().sum::<f64>() / 2.0
}

fn spawned<S>(runtime: &Runtime, mut service: S) -> f64
where
    S: Service<u64, Response = u64, Error = BoxError, Future: Send> + Send + 'static,
{
    let task = runtime.spawn(async move { calls(&mut service).await });
    runtime.block_on(task).unwrap()
}
