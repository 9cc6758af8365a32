//! A connection that takes one call at a time: the pool keeps its only reservation from nobody.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Ask, Connection, Maker, SECOND, Server, TARGET, Target};
use tokio::time::{sleep, timeout};
use tower::limit::ConcurrencyLimit;
use tower::util::MapResponse;
use tower::{Layer, Service, ServiceExt};
use wt_pool::{Pool, PoolLayer, Pooled};

type Limited = ConcurrencyLimit<Connection>;
type LimitedMaker = MapResponse<Maker, fn(Connection) -> Limited>;

#[tokio::test(start_paused = true)]
async fn a_sweep_keeps_nothing_reserved() {
    // It finds a reservation to be had, or queues for one.
    for spent in [true, false] {
        let mut pool = pool();
        let mut lent = pool.call(TARGET).await.unwrap();
        if spent {
            lent.call(Ask::Number).await.unwrap();
        }

        sleep(11 * SECOND).await;

        call_once(&mut lent).await;
        call_once(&mut lent).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_comes_back_ready_keeps_nothing_reserved() {
    let mut pool = pool();
    let ready = pool.call(TARGET).await.unwrap();
    let mut other = pool.call(TARGET).await.unwrap();

    drop(ready);

    call_once(&mut other).await;
}

async fn call_once(lent: &mut Pooled<Limited>) {
    let call = async { lent.ready().await.unwrap().call(Ask::Number).await };
    let answer = timeout(SECOND, call).await;
    assert_eq!(answer.expect("it is reserved for nobody"), Ok(0));
}

fn pool() -> Pool<LimitedMaker, Target, Ask> {
    let limited: fn(_) -> _ = |connection| Limited::new(connection, 1);
    let layer = PoolLayer::new(1).shared(|_: &Limited| 5);
    let layer = layer.sweep_interval(10 * SECOND);
    layer.layer(Server::new().maker().map_response(limited))
}
