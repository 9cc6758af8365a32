//! All servers are dead, and come back.

use std::time::Duration;

use examples::stack::CONNECT_TIMEOUT;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::fleet::{Fleet, alone, eventually};
use crate::load::Load;

#[tokio::test]
async fn calls_are_answered_soon_after_the_first_server_is_back() {
    let _alone = alone().await;
    let mut fleet = Fleet::start(4).await;
    let stack = fleet.client();
    let load = Load::of(4, &stack.client);
    load.goes_on(1000).await;
    for server in &mut fleet.servers {
        server.kill().await.unwrap();
    }
    eventually("calls fail", || !load.failures().is_empty()).await;

    let failed_connects = || stack.figures.pool().total.failed;
    let (busy, connects, began) = (busy(), failed_connects(), Instant::now());
    sleep(3 * CONNECT_TIMEOUT).await;
    let busy = self::busy() - busy;
    let connects = failed_connects() - connects;
    let elapsed = began.elapsed();
    fleet.servers[0].start_again().await.unwrap();
    let back = Instant::now();
    load.goes_on(1).await;
    let served_after = back.elapsed();

    assert!(served_after < 2 * SECOND, "it took {served_after:?}");
    assert!(
        busy < elapsed / 10,
        "busy for {busy:?} of {elapsed:?} with nothing to do"
    );
    let most = 4.0 * (elapsed.as_secs_f64() / CONNECT_TIMEOUT.as_secs_f64() + 1.0);
    assert!(
        connects as f64 <= most,
        "{connects} connects in {elapsed:?}"
    );
}

/// How long the runtime of this test has been at work.
fn busy() -> Duration {
    Handle::current().metrics().worker_total_busy_duration(0)
}

const SECOND: Duration = Duration::from_secs(1);
