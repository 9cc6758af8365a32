//! Calls are given up, each at another point.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use examples::causes;
use examples::stack::{Client, Stack, echo, stack};
use fastrand::Rng;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tower::load_shed::error::Overloaded;
use wt_connection::Limits;

use crate::fleet::{alone, eventually};
use crate::load::call;
use crate::local::Local;

#[tokio::test]
async fn calls_that_are_given_up_leave_no_task_socket_permit_or_session() {
    let _alone = alone().await;
    let local = Local::start(3, Limits::default());
    tokio::task::yield_now().await;
    let tasks = tasks();
    // Those of tests before this one are closed by and by.
    let sockets = if cfg!(target_os = "linux") { 3 } else { 0 };
    eventually("no other test has a socket", || self::sockets() == sockets).await;
    let endpoint = local.endpoint();
    let connector = wt_connection::Connector::new(endpoint.clone());
    let stack = stack(connector, local.targets.clone(), echo);

    storm(&stack).await;

    eventually("sessions end", || local.sessions() == 0).await;
    eventually("slots come back", || {
        let pool = stack.figures.pool().total;
        (pool.lent, pool.waiting) == (0, 0)
    })
    .await;
    assert_eq!(stack.figures.balance().in_flight, 0);
    // As many as there are permits, at once; one that was lost would shed a call. Whether each is
    // answered in its time is the machine's to say.
    let mut calls = JoinSet::new();
    for _ in 0..PERMITS {
        calls.spawn(call(stack.client.clone()));
    }
    let failures = calls.join_all().await.into_iter().filter_map(Result::err);
    let shed = failures.filter(|error| error.is::<Overloaded>()).count();
    assert_eq!(shed, 0);

    drop(stack);
    endpoint.close(0, "").await;
    drop(endpoint);
    eventually("tasks end", || self::tasks() == tasks).await;
    eventually("sockets are closed", || self::sockets() == sockets).await;
}

/// Gives up many calls, and lets a few be answered.
async fn storm(stack: &Stack<impl Client<()>>) {
    let mut rng = Rng::with_seed(7);
    // However fast the machine is, some are to be given up, and some are not.
    let longest = 2 * at_once(stack).await;
    let (mut answered, mut given_up) = (0, 0);
    for _ in 0..40 {
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let patience = longest.mul_f64(rng.f64());
            calls.spawn(timeout(patience, call(stack.client.clone())));
        }
        for call in calls.join_all().await {
            match call {
                Ok(Ok(())) => answered += 1,
                Ok(Err(error)) => panic!("{}", causes(&*error)),
                Err(_) => given_up += 1,
            }
        }
    }
    assert!(given_up > 100, "only {given_up} were given up");
    assert!(answered > 100, "only {answered} were answered");
}

/// How long it takes to answer as many calls, the second time.
async fn at_once(stack: &Stack<impl Client<()>>) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..2 {
        let began = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            calls.spawn(call(stack.client.clone()));
        }
        calls.join_all().await;
        took = began.elapsed();
    }
    took
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Sockets of UDP that this process has open; none, where the system does not tell.
fn sockets() -> usize {
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"].map(fs::read_to_string);
    let inodes = tables.iter().flatten().flat_map(|table| {
        let sockets = table.lines().skip(1);
        sockets.filter_map(|line| line.split_whitespace().nth(9))
    });
    let sockets: HashSet<_> = inodes.map(|inode| format!("socket:[{inode}]")).collect();
    let open = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    open.filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter(|link| sockets.contains(&*link.to_string_lossy()))
        .count()
}

/// At once, in a storm.
const CALLS: usize = 50;
/// The stack's limit of concurrency.
const PERMITS: usize = 1024;
