//! A service that fails again and again.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{until, within};
use common::serve::{BoxError, Reply, Served, get};
use http::Request;
use tokio::task::JoinSet;
use wt_connection::{Body, ConnectionState};

/// quinn keeps a few words for each response that was given up, as long as the connection lives.
#[tokio::test]
async fn a_connection_of_too_many_failures_is_drained() {
    within(async {
        let site = Served::by(|_: Request<Body>| async { Err::<Reply, BoxError>("no".into()) });
        let client = site.client().await;

        let mut lanes = JoinSet::new();
        for _ in 0..64 {
            let client = client.clone();
            lanes.spawn(async move {
                let mut failed = 0;
                while client.state() == ConnectionState::Connected && failed < 100 {
                    assert!(get(&client, "/").await.is_err());
                    failed += 1;
                }
                failed
            });
        }
        let failed: usize = lanes.join_all().await.into_iter().sum();
        until(|| client.state() != ConnectionState::Connected).await;

        assert!((4097..6400).contains(&failed), "{failed} failures");
    })
    .await;
}
