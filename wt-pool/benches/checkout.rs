//! What does a checkout cost, against pools that do less, and how long is the wait for one?
//!
//! All pools lend the same connection, which does nothing, in the same runtime; the median of the
//! rounds counts, each with all pools in turn. What is measured is to get a connection and to give
//! it back, through whatever a pool offers for one target: here the hinge.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::pool;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use wt_pool::{PoolLayer, PoolService};

const ROUNDS: usize = 11;
const GETS: u32 = 200_000;
const TASKS: u32 = 64;

fn main() {
    let runtime = runtime();
    let mut lines = Vec::new();
    lines.extend(runtime.block_on(exclusive_1_task()));
    lines.extend(runtime.block_on(shared_1_task()));
    lines.extend(runtime.block_on(exclusive_64_tasks()));
    lines.push(runtime.block_on(wait()));
    lines.extend(runtime.block_on(allocs()));
    // What the pool does in this one thread, a checkout has to wait for.
    let mut builder = Builder::new_current_thread();
    lines.push(builder.enable_all().build().unwrap().block_on(reap()));
    println!();
    for line in lines {
        println!("{line}");
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// A connection that does nothing; cheap to clone, as shared ones are.
#[derive(Clone, Debug)]
struct Connection(#[expect(dead_code, reason = "it is there to be cloned")] Arc<()>);

impl Service<()> for Connection {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

#[derive(Clone, Debug)]
struct Maker;

impl Service<()> for Maker {
    type Response = Connection;
    type Error = Infallible;
    type Future = Ready<Result<Connection, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(Connection(Arc::new(()))))
    }
}

#[derive(Debug)]
struct Manager;

impl deadpool::managed::Manager for Manager {
    type Type = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        Ok(Connection(Arc::new(())))
    }

    async fn recycle(
        &self,
        _: &mut Connection,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = Connection;
    type Error = Infallible;

    async fn connect(&self) -> Result<Connection, Infallible> {
        Ok(Connection(Arc::new(())))
    }

    async fn is_valid(&self, _: &mut Connection) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

type Hinge = PoolService<Maker, (), ()>;

fn exclusive(max: usize) -> Hinge {
    PoolLayer::new(max).layer(Maker).service(())
}

fn shared(max: usize) -> Hinge {
    let layer = PoolLayer::new(max).shared(|_: &Connection| 100);
    layer.layer(Maker).service(())
}

/// Each of ours and theirs gets a connection and gives it back, so many times.
async fn ours(hinge: &Hinge, gets: u32) {
    for _ in 0..gets {
        let lent = hinge.checkout().await.unwrap();
        drop(black_box(lent));
    }
}

async fn deadpool(pool: &deadpool::managed::Pool<Manager>, gets: u32) {
    for _ in 0..gets {
        drop(black_box(pool.get().await.unwrap()));
    }
}

async fn bb8(pool: &bb8::Pool<Manager>, gets: u32) {
    for _ in 0..gets {
        drop(black_box(pool.get().await.unwrap()));
    }
}

async fn hyper_util<S: Service<()>>(pool: &mut S, gets: u32)
where
    S::Error: std::fmt::Debug,
{
    for _ in 0..gets {
        let lent = pool.ready().await.unwrap().call(()).await;
        drop(black_box(lent.unwrap()));
    }
}

async fn exclusive_1_task() -> Vec<String> {
    let hinge = exclusive(10);
    let deadpool_pool = deadpool::managed::Pool::builder(Manager)
        .max_size(10)
        .build();
    let deadpool_pool = deadpool_pool.unwrap();
    let bb8_pool = bb8::Pool::builder()
        .max_size(10)
        .build(Manager)
        .await
        .unwrap();
    let mut cache = pool::cache::builder().build(Maker);
    let mut table = Table::new("exclusive, 1 task", ["deadpool", "bb8", "hyper_util_cache"]);
    for _ in 0..=ROUNDS {
        table.row([
            timed(GETS, ours(&hinge, GETS)).await,
            timed(GETS, deadpool(&deadpool_pool, GETS)).await,
            timed(GETS, bb8(&bb8_pool, GETS)).await,
            timed(GETS, hyper_util(&mut cache, GETS)).await,
        ]);
    }
    table.ratios("exclusive_1_task")
}

async fn shared_1_task() -> Vec<String> {
    let hinge = shared(10);
    let mut singleton = pool::singleton::Singleton::new(Maker);
    let mut table = Table::new("shared, 1 task", ["hyper_util_singleton"]);
    for _ in 0..=ROUNDS {
        table.row([
            timed(GETS, ours(&hinge, GETS)).await,
            timed(GETS, hyper_util(&mut singleton, GETS)).await,
        ]);
    }
    table.ratios("shared_1_task")
}

async fn exclusive_64_tasks() -> Vec<String> {
    let gets = GETS / TASKS;
    let hinge = exclusive(100);
    let bb8_pool = bb8::Pool::builder()
        .max_size(100)
        .build(Manager)
        .await
        .unwrap();
    let cache = pool::cache::builder().build(Maker);
    let mut table = Table::new(
        "exclusive, 64 tasks on 2 threads",
        ["bb8", "hyper_util_cache"],
    );
    for _ in 0..=ROUNDS {
        let ours = crowd(|| {
            let hinge = hinge.clone();
            async move { ours(&hinge, gets).await }
        });
        let ours = timed(GETS, ours).await;
        let theirs = crowd(|| {
            let pool = bb8_pool.clone();
            async move { bb8(&pool, gets).await }
        });
        let theirs = timed(GETS, theirs).await;
        let cached = crowd(|| {
            let mut cache = cache.clone();
            async move { hyper_util(&mut cache, gets).await }
        });
        table.row([ours, theirs, timed(GETS, cached).await]);
    }
    table.ratios("exclusive_64_tasks")
}

/// How long 1,000 tasks wait for one of 50 connections, each of which is held for 1 ms.
async fn wait() -> String {
    let hinge = exclusive(50);
    let mut ratios = Vec::new();
    println!("\nwait, 1,000 tasks on 50 connections\n\n| round | mean, ms | p99, ms | ratio |");
    println!("| --- | --- | --- | --- |");
    for round in 0..7 {
        let waits = waits(&hinge).await;
        let mean = waits.iter().sum::<Duration>().as_secs_f64() / waits.len() as f64;
        let p99 = waits[waits.len() * 99 / 100].as_secs_f64();
        println!(
            "| {round} | {:.2} | {:.2} | {:.3} |",
            mean * 1e3,
            p99 * 1e3,
            p99 / mean
        );
        ratios.push(p99 / mean);
    }
    format!("ratio wait_p99/mean {:.3}", median(ratios))
}

/// The waits of all, but for those of the start, the shortest first.
async fn waits(hinge: &Hinge) -> Vec<Duration> {
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let hinge = hinge.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                for _ in 0..12 {
                    let began = Instant::now();
                    let lent = hinge.checkout().await.unwrap();
                    waits.push(began.elapsed());
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    drop(lent);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        // The line is not yet full when the first ones come, nor when the last ones go.
        waits.extend(task.await.unwrap().into_iter().skip(2).take(9));
    }
    waits.sort();
    waits
}

async fn allocs() -> Vec<String> {
    let mut lines = Vec::new();
    for (name, hinge) in [("exclusive_hit", exclusive(10)), ("shared_hit", shared(10))] {
        ours(&hinge, 1000).await;
        let info = allocation_counter::measure(|| {
            for _ in 0..1000 {
                let lent = hinge.checkout();
                let mut lent = std::pin::pin!(lent);
                let mut cx = Context::from_waker(std::task::Waker::noop());
                assert!(lent.as_mut().poll(&mut cx).is_ready());
            }
        });
        lines.push(format!(
            "allocs {name} {:.3}",
            info.count_total as f64 / 1000.0
        ));
    }
    lines
}

/// The longest that any checkout of all rounds waits while 10,000 idle connections are closed.
async fn reap() -> String {
    const CONNECTIONS: usize = 10_000;
    let mut worst = 0.0_f64;
    println!("\nreap, 10,000 idle connections: longest checkout, µs\n\n| round | reap | none |");
    println!("| --- | --- | --- |");
    for round in 0..7 {
        let layer = PoolLayer::new(CONNECTIONS + 1)
            .max_waiters(CONNECTIONS + 1)
            .idle_timeout(Some(Duration::from_millis(300)));
        let pool = layer.layer(Maker);
        let hinge: Hinge = pool.service(());
        let checkouts: Vec<_> = (0..CONNECTIONS).map(|_| hinge.checkout()).collect();
        let mut lent = Vec::new();
        for checkout in checkouts {
            lent.push(checkout.await.unwrap());
        }
        drop(lent);
        // Until shortly before: whatever else the machine does in all that time is not measured.
        tokio::time::sleep(Duration::from_millis(295)).await;
        let (mut reap, mut hundreds) = (0.0_f64, 0);
        while pool.stats().total.open > 1 {
            reap = reap.max(longest_of(100, &hinge).await);
            hundreds += 1;
        }
        // What the machine itself makes a checkout wait, in as many of them.
        let none = longest_of(100 * hundreds, &hinge).await;
        println!("| {round} | {reap:.1} | {none:.1} |");
        worst = worst.max(reap);
    }
    format!("value reap_10000_max_wait_us {worst:.1}")
}

/// The longest of so many checkouts, each with a turn for others, in microseconds.
async fn longest_of(checkouts: usize, hinge: &Hinge) -> f64 {
    let mut longest = Duration::ZERO;
    for _ in 0..checkouts {
        let began = Instant::now();
        tokio::task::yield_now().await;
        drop(hinge.checkout().await.unwrap());
        longest = longest.max(began.elapsed());
    }
    longest.as_secs_f64() * 1e6
}

/// 64 tasks on both threads.
async fn crowd<F>(mut task: impl FnMut() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Nanoseconds of each of so many.
async fn timed(count: u32, work: impl Future<Output = ()>) -> f64 {
    let began = Instant::now();
    work.await;
    began.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

/// Rounds of ours, first, and the anchors.
struct Table<const N: usize> {
    anchors: Vec<&'static str>,
    rows: Vec<[f64; N]>,
}

impl<const N: usize> Table<N> {
    fn new(title: &str, anchors: impl Into<Vec<&'static str>>) -> Self {
        let anchors = anchors.into();
        println!(
            "\n{title}, ns\n\n| round | ours | {} |",
            anchors.join(" | ")
        );
        println!("| --- |{}", " --- |".repeat(N));
        Self {
            anchors,
            rows: Vec::new(),
        }
    }

    fn row(&mut self, row: [f64; N]) {
        let cells: Vec<_> = row.iter().map(|cell| format!("{cell:.1}")).collect();
        println!("| {} | {} |", self.rows.len(), cells.join(" | "));
        self.rows.push(row);
    }

    /// The medians of ours over each anchor; the first round is not counted.
    fn ratios(&self, name: &str) -> Vec<String> {
        let ratios = self.anchors.iter().enumerate().map(|(place, anchor)| {
            let rounds = self.rows[1..].iter();
            let ratio = median(rounds.map(|row| row[0] / row[place + 1]).collect());
            format!("ratio {name}/{anchor} {ratio:.3}")
        });
        ratios.collect()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
