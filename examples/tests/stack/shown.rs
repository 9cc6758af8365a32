//! What the example shows.

use tokio::task::spawn_blocking;

use crate::common::Example;
use crate::fleet::alone;

#[tokio::test]
async fn no_call_fails_while_servers_are_slow_fail_die_fall_silent_and_are_restarted() {
    let _alone = alone().await;
    let example = Example::start("stack", &[]);

    let (status, said) = spawn_blocking(|| example.end()).await.unwrap();

    assert!(status.success(), "{said:#?}");
    let summary = said.last().unwrap();
    assert!(summary.starts_with("summary calls="), "{said:#?}");
    assert!(summary.contains(" failed=0 "), "{said:#?}");
}
