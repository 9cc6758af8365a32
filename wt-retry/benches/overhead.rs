//! What does a call that succeeds cost, compared with tower's `Retry` and `tower-resilience-retry`?
//!
//! All call the same service, which is always ready and answers at once, from one task of one
//! runtime, each with four attempts. tower's policy is the one of its docs with its default budget;
//! `tower-resilience-retry` has no budget by default, and is there with one, too. The budgets are
//! compared alone as well, by one deposit and one withdrawal each.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tower::retry::Policy;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_resilience_retry::RetryBudgetBuilder;
use wt_retry::backoff::Exponential;
use wt_retry::budget::{Budget, RatioBudget};
use wt_retry::{RetryLayer, StandardPolicy, Verdict};

const CALLS: u32 = 500_000;
const ROUNDS: usize = 15;

fn main() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let ours = RetryLayer::new(policy()).layer(Answering);
    let tower = ServiceBuilder::new().retry(Tps::new()).service(Answering);
    let success = rounds(
        "a call that succeeds",
        &mut [
            ("wt-retry, RatioBudget", &mut || {
                calls(&runtime, ours.clone())
            }),
            ("tower, TpsBudget", &mut || calls(&runtime, tower.clone())),
            ("tower-resilience", &mut || {
                calls(&runtime, resilience(false))
            }),
            ("tower-resilience, bucket", &mut || {
                calls(&runtime, resilience(true))
            }),
            ("the service alone", &mut || calls(&runtime, Answering)),
        ],
    );
    let budget = rounds(
        "a deposit and a withdrawal",
        &mut [
            ("RatioBudget", &mut ratio_budget),
            ("TpsBudget", &mut tps_budget),
        ],
    );
    let allocated = allocation_counter::measure(|| {
        calls(&runtime, ours);
    });

    println!();
    println!("ratio success/tower_retry {:.3}", ratio(&success, 1));
    println!(
        "ratio success/tower_resilience_retry {:.3}",
        ratio(&success, 2)
    );
    println!("ratio budget/tps_budget {:.3}", ratio(&budget, 1));
    let per_call = allocated.count_total as f64 / f64::from(CALLS);
    println!("allocs success {per_call:.3}");
}

/// Answers at once.
#[derive(Clone, Copy)]
struct Answering;

impl Service<u64> for Answering {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(black_box(request)))
    }
}

#[derive(Clone, Debug)]
struct Failed;

type Standard = StandardPolicy<fn(&u64, Result<&u64, &Failed>) -> Verdict, Exponential>;

fn policy() -> Standard {
    fn classify(_: &u64, result: Result<&u64, &Failed>) -> Verdict {
        match result {
            Ok(_) => Verdict::Return,
            Err(Failed) => Verdict::Retry,
        }
    }
    StandardPolicy::new(classify, Exponential::default())
}

#[derive(Clone)]
struct Tps {
    budget: Arc<TpsBudget>,
    left: u32,
}

impl Tps {
    fn new() -> Self {
        Self {
            budget: Arc::default(),
            left: 3,
        }
    }
}

impl Policy<u64, u64, Failed> for Tps {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, result: &mut Result<u64, Failed>) -> Option<Ready<()>> {
        if result.is_ok() {
            self.budget.deposit();
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.budget.withdraw().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

fn resilience(bucket: bool) -> tower_resilience_retry::Retry<Answering, u64, u64, Failed> {
    let mut config = tower_resilience_retry::RetryLayer::builder()
        .max_attempts(4)
        .exponential_backoff(Duration::from_secs(1));
    if bucket {
        config = config.budget(RetryBudgetBuilder::new().token_bucket().build().unwrap());
    }
    config.build().layer(Answering)
}

/// Nanoseconds for one call.
fn calls<S>(runtime: &Runtime, mut service: S) -> f64
where
    S: Service<u64, Response = u64, Error = Failed>,
{
    runtime.block_on(async {
        let began = Instant::now();
        for request in 0..u64::from(CALLS) {
            let answer = service
                .ready()
                .await
                .unwrap()
                .call(black_box(request))
                .await;
            assert_eq!(answer.unwrap(), request);
        }
        per_call(began)
    })
}

fn ratio_budget() -> f64 {
    let budget = black_box(RatioBudget::default().ratio(1.0));
    // Not full, so that a deposit changes it.
    budget.sent(&mut budget.withdraw().unwrap());
    let began = Instant::now();
    for _ in 0..CALLS {
        budget.deposit();
        let mut permit = budget.withdraw().unwrap();
        budget.sent(&mut permit);
    }
    per_call(began)
}

fn tps_budget() -> f64 {
    let budget = black_box(TpsBudget::new(Duration::from_secs(10), 10, 1.0));
    let began = Instant::now();
    for _ in 0..CALLS {
        budget.deposit();
        assert!(budget.withdraw());
    }
    per_call(began)
}

fn per_call(began: Instant) -> f64 {
    began.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

type Subject<'a> = (&'static str, &'a mut dyn FnMut() -> f64);

/// Measures each in turn, a different one first in each round; prints and gives the figures.
fn rounds(what: &str, subjects: &mut [Subject<'_>]) -> Vec<Vec<f64>> {
    let mut figures = vec![Vec::new(); subjects.len()];
    for (_, measure) in subjects.iter_mut() {
        // Not counted: caches and the predictor settle.
        measure();
    }
    for round in 0..ROUNDS {
        for turn in 0..subjects.len() {
            let subject = (round + turn) % subjects.len();
            let figure = (subjects[subject].1)();
            figures[subject].push(figure);
        }
    }
    println!(
        "\n| {what} | ns, median of {ROUNDS} rounds | least | most |\n| --- | --- | --- | --- |"
    );
    for ((name, _), figures) in subjects.iter().zip(&figures) {
        let mut sorted = figures.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (sorted[0], sorted[ROUNDS - 1]);
        println!(
            "| {name} | {:.1} | {least:.1} | {most:.1} |",
            sorted[ROUNDS / 2]
        );
    }
    figures
}

/// The median over the rounds of the first subject's share of another's time.
fn ratio(figures: &[Vec<f64>], anchor: usize) -> f64 {
    let pairs = figures[0].iter().zip(&figures[anchor]);
    let mut ratios: Vec<_> = pairs.map(|(ours, anchor)| ours / anchor).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}
