//! The summary of a connection, and figures as JSON.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::{connected, session};
use serde_json::Value;

#[tokio::test]
async fn a_summary_tells_the_figures_and_the_open_sessions() {
    within(async {
        let pair = connected().await;
        let _first = session(&pair.client, &pair.server).await;
        let (second, second_there) = session(&pair.client, &pair.server).await;

        let open = pair.client.summary();
        second.close(0, "");
        second_there.closed().await;
        second.closed().await;
        let (summary, info) = (pair.client.summary(), pair.client.info());

        assert_eq!((open.sessions, summary.sessions), (2, 1));
        assert_eq!(summary.id, info.id);
        assert_eq!(summary.state, info.state);
        assert_eq!(summary.remote_address, info.remote_address);
        assert!(summary.bytes_sent > open.bytes_sent);
        assert!(summary.packets_received > open.packets_received);
        assert_eq!(summary.errors, 0);
        assert!(summary.uptime > open.uptime && summary.rtt > std::time::Duration::ZERO);
    })
    .await;
}

#[tokio::test]
async fn figures_are_json_with_times_in_seconds() {
    within(async {
        let pair = connected().await;

        let info = pair.client.info();
        let json = serde_json::to_value(&info).unwrap();

        assert_eq!(json["id"], info.id.to_string());
        assert_eq!(json["state"], "connected");
        assert_eq!(json["closed_at"], Value::Null);
        let local = info.local_address.unwrap();
        assert_eq!(json["local_address"], local.to_string());
        assert_eq!(json["uptime"], info.uptime().as_secs_f64());
        assert_eq!(json["rtt"], info.rtt.as_secs_f64());
        let since = info.established_at.unwrap().elapsed().unwrap();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let expected = (now - since).as_secs_f64();
        assert!((json["established_at"].as_f64().unwrap() - expected).abs() < 0.1);
    })
    .await;
}
