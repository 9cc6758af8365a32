//! Servers are restarted in order, under load.

use std::time::Duration;

use examples::stack::CONNECT_TIMEOUT;
use tokio::time::{Instant, sleep};

use crate::fleet::{Fleet, alone, beside, eventually};
use crate::load::Load;

#[tokio::test]
async fn ten_servers_are_restarted_one_by_one_and_no_call_fails() {
    let _alone = alone().await;
    let mut fleet = Fleet::start(10).await;
    let stack = fleet.client();
    let load = Load::of(16, &stack.client);
    let connected = |connections: u64| {
        let targets = stack.figures.pool().targets;
        targets.len() == 10 && targets.iter().all(|(_, stats)| stats.opened >= connections)
    };
    eventually("all are connected to", || connected(1)).await;

    for server in &mut fleet.servers {
        server.shut_down().await.unwrap();
        server.start_again().await.unwrap();
        load.goes_on(200).await;
    }

    eventually("all are connected to again", || connected(2)).await;
    assert_eq!(load.failures(), [""; 0]);
    // The calls' own, which the pool has opened; probes have others, and close them at once.
    for (target, stats) in stack.figures.pool().targets {
        assert!(stats.opened <= 2, "{target}: {stats:?}");
    }
}

#[tokio::test]
async fn a_server_that_was_dead_for_long_shuts_down_at_once() {
    // It waited for the idle timeout of a connection whose client had given up meanwhile.
    let _beside = beside().await;
    let mut fleet = Fleet::start(2).await;
    let stack = fleet.client();
    let load = Load::of(4, &stack.client);
    load.goes_on(100).await;

    fleet.servers[0].kill().await.unwrap();
    sleep(2 * CONNECT_TIMEOUT).await;
    fleet.servers[0].start_again().await.unwrap();
    // Those who had begun to connect before have given up by then.
    sleep(CONNECT_TIMEOUT + Duration::from_millis(500)).await;
    let began = Instant::now();
    fleet.servers[0].shut_down().await.unwrap();

    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}
