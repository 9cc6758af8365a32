use std::time::Duration;

use axum::http::Request;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use wt_connection::{CompleteOnClose, Connector, Target};
use wt_pool::Pool;

use crate::surpass::shared;
use crate::world::{SECOND, World, soon, until};

#[tokio::test]
async fn cancel_storms_leave_every_slot() {
    let world = World::new(2);
    let pool = shared(&world.connector, 4);
    // However fast the machine is, some are to be given up, and some are not.
    let began = Instant::now();
    assert_eq!(storm(&world, &pool, |_| 30 * SECOND).await, CALLS);
    let longest = 2 * began.elapsed();

    let answered = storm(&world, &pool, |call| longest * call / CALLS).await;

    assert!((1..CALLS).contains(&answered), "{answered} were answered");
    // A connect that nobody waits for any more goes on, for whoever comes next.
    until(|| pool.stats().total.connecting == 0).await;
    until(|| pool.stats().total.lent == 0).await;
    assert_eq!(pool.stats().total.waiting, 0);
    for target in world.targets() {
        let lender = pool.service(target);
        let mut all = vec![soon(lender.checkout()).await.unwrap()];
        for _ in 1..4 * all[0].max_sessions() {
            all.push(soon(lender.checkout()).await.unwrap());
        }
        assert!(timeout(Duration::ZERO, lender.checkout()).await.is_err());
        until(|| all.iter().all(|lent| lent.sessions().is_empty())).await;
    }
}

/// Opens sessions on both servers, all at once, and gives each up after another time; says how many
/// were answered before.
async fn storm(
    world: &World,
    pool: &Pool<Connector, Target, Request<()>, CompleteOnClose>,
    patience: impl Fn(u32) -> Duration,
) -> u32 {
    let mut storm = JoinSet::new();
    for call in 0..CALLS {
        let service = pool.service(world.servers[call as usize % 2].target.clone());
        let opening = service.oneshot(Request::get("/").body(()).unwrap());
        storm.spawn(timeout(patience(call), opening));
    }
    let mut answered = 0;
    while let Some(call) = soon(storm.join_next()).await {
        if let Ok(opened) = call.unwrap() {
            drop(opened.unwrap());
            answered += 1;
        }
    }
    answered
}

/// Of one storm.
const CALLS: u32 = 400;
