//! What do all the layers of a client cost for one call, compared with tower's own?
//!
//! Ours are a deadline, retries with a budget, the balancer, and for each backend the judge of its
//! health and the timeout of one attempt; tower's a timeout, `Retry` with `TpsBudget`, a timeout,
//! and the `Buffer` that its `p2c` with `PeakEwma` takes to be cloned. All stand on the same
//! services, which are always ready and answer at once, and are called from a task of a runtime of
//! two threads, as the `Buffer`'s worker is a task.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use examples::classes;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tower::balance::p2c;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwmaDiscover};
use tower::retry::Policy;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use wt_balance::BalanceLayer;
use wt_health::Monitor;
use wt_retry::backoff::Exponential;
use wt_retry::budget::RatioBudget;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

fn main() {
    let here = Builder::new_current_thread().enable_time().build().unwrap();
    let threads = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let (ours, tower) = {
        let _inside = threads.enter();
        (stack(), tower_stack())
    };
    let ratio = compare(&threads, &ours, &tower);
    let allocations = allocations(&here);

    println!();
    println!("ratio stack/tower_stack {ratio:.3}");
    println!("allocs stack_call {allocations:.3}");
}

/// What is called.
trait Client:
    Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static
{
}

impl<S> Client for S where
    S: Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static
{
}

fn stack() -> impl Client {
    let monitor = Monitor::new();
    let policy =
        StandardPolicy::new(classes::any, Exponential::default()).budget(RatioBudget::default());
    ServiceBuilder::new()
        .layer(DeadlineLayer::new(DEADLINE))
        .layer(RetryLayer::standard(policy))
        .layer(BalanceLayer::new(0..BACKENDS))
        .service(move |backend| {
            ServiceBuilder::new()
                .layer(monitor.layer(backend))
                .layer(TimeoutLayer::new(TRY_TIMEOUT))
                .service(Answering)
        })
}

fn tower_stack() -> impl Client {
    let services = ServiceList::new::<u64>((0..BACKENDS).map(|_| Answering));
    let (rtt, decay) = (Duration::from_millis(1), Duration::from_secs(10));
    let discover = PeakEwmaDiscover::new(services, rtt, decay, CompleteOnResponse::default());
    ServiceBuilder::new()
        .timeout(DEADLINE)
        .retry(Tps::default())
        .timeout(TRY_TIMEOUT)
        .service(Buffer::new(p2c::Balance::new(discover), 1024))
}

/// The policy of tower's docs.
#[derive(Clone, Default)]
struct Tps {
    budget: Arc<TpsBudget>,
}

impl Policy<u64, u64, BoxError> for Tps {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, result: &mut Result<u64, BoxError>) -> Option<Ready<()>> {
        if result.is_ok() {
            self.budget.deposit();
            return None;
        }
        self.budget.withdraw().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

/// The median over the rounds of our share of tower's time.
fn compare(threads: &Runtime, ours: &impl Client, tower: &impl Client) -> f64 {
    // Not counted: caches and the predictor settle.
    spawned(threads, ours);
    spawned(threads, tower);
    println!("| round | ours, ns for a call | tower's | ratio |");
    println!("| --- | --- | --- | --- |");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let (ours, tower) = if round % 2 == 0 {
            let ours = spawned(threads, ours);
            (ours, spawned(threads, tower))
        } else {
            let tower = spawned(threads, tower);
            (spawned(threads, ours), tower)
        };
        println!("| {round} | {ours:.0} | {tower:.0} | {:.3} |", ours / tower);
        ratios.push(ours / tower);
    }
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

fn spawned(threads: &Runtime, service: &impl Client) -> f64 {
    let service = service.clone();
    let task = threads.spawn(async move { calls(service).await });
    threads.block_on(task).unwrap()
}

/// Nanoseconds for one call.
async fn calls(mut service: impl Client) -> f64 {
    let began = Instant::now();
    for request in 0..CALLS {
        let service = service.ready().await.unwrap();
        assert_eq!(service.call(black_box(request)).await.unwrap(), request);
    }
    began.elapsed().as_nanos() as f64 / CALLS as f64
}

fn allocations(here: &Runtime) -> f64 {
    let service = {
        let _inside = here.enter();
        stack()
    };
    // Not counted: what is set up once.
    here.block_on(calls(service.clone()));
    let allocated = allocation_counter::measure(|| {
        here.block_on(calls(service));
    });
    allocated.count_total as f64 / CALLS as f64
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

const BACKENDS: u32 = 10;
const CALLS: u64 = 100_000;
const ROUNDS: usize = 11;
const DEADLINE: Duration = Duration::from_secs(5);
const TRY_TIMEOUT: Duration = Duration::from_secs(1);
