//! Calls are given up, each at another point.

use std::fs;
use std::time::Duration;

use examples::stack::{Client, Stack, echo, stack};
use fastrand::Rng;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wt_connection::Limits;

use crate::fleet::{alone, eventually};
use crate::load::call;
use crate::local::Local;

#[tokio::test]
async fn calls_that_are_given_up_leave_no_task_socket_permit_or_session() {
    let _alone = alone().await;
    let local = Local::start(3, Limits::default());
    tokio::task::yield_now().await;
    let (tasks, sockets) = (tasks(), sockets());
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
    // As many as there are permits, at once; one that was lost would shed a call.
    let mut calls = JoinSet::new();
    for _ in 0..PERMITS {
        calls.spawn(call(stack.client.clone()));
    }
    let failed = calls.join_all().await.into_iter().find_map(Result::err);
    assert!(failed.is_none(), "{failed:?}");

    drop(stack);
    endpoint.close(0, "").await;
    drop(endpoint);
    eventually("tasks end", || self::tasks() == tasks).await;
    eventually("sockets are closed", || self::sockets() == sockets).await;
}

/// Gives up many calls, and lets a few be answered.
async fn storm(stack: &Stack<impl Client<()>>) {
    let mut rng = Rng::with_seed(7);
    let (mut answered, mut given_up) = (0, 0);
    for _ in 0..40 {
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let patience = Duration::from_micros(rng.u64(..60_000));
            calls.spawn(timeout(patience, call(stack.client.clone())));
        }
        for call in calls.join_all().await {
            match call {
                Ok(call) => {
                    call.unwrap();
                    answered += 1;
                }
                Err(_) => given_up += 1,
            }
        }
    }
    assert!(given_up > 100, "only {given_up} were given up");
    assert!(answered > 100, "only {answered} were answered");
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Descriptors of this process, sockets among them; all of them, where the system does not tell.
fn sockets() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// The stack's limit of concurrency.
const PERMITS: usize = 1024;
