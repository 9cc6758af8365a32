//! What is found wrong with a connection.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;
use std::time::Duration;

use common::bounded::{cancel, once, within};
use common::path::{Silent, delay_between};
use common::{address, bare, connected, connector, raw, server_builder, session};
use tower::ServiceExt;
use wt_connection::{ConnectionError, ConnectionState, Issue, Limits, Thresholds};

#[tokio::test]
async fn a_connection_in_use_has_no_issue() {
    within(async {
        let pair = connected().await;
        let _session = session(&pair.client, &pair.server).await;

        for connection in [&pair.client, &pair.server] {
            let diagnosis = connection.diagnose(Thresholds::default()).await;

            assert!(diagnosis.is_healthy(), "{diagnosis:?}");
            assert_eq!(diagnosis.id, connection.id());
            assert!(diagnosis.rtt.unwrap() > Duration::ZERO);
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_connection_is_not_connected_and_not_pinged() {
    within(async {
        let pair = connected().await;
        pair.client.close(0, "").await;

        let diagnosis = pair.client.diagnose(Thresholds::default()).await;

        let state = ConnectionState::Closed;
        assert_eq!(diagnosis.issues, [Issue::NotConnected { state }]);
        assert_eq!(diagnosis.rtt, None);
    })
    .await;
}

#[tokio::test]
async fn a_diagnosis_that_is_given_up_gives_its_ping_up() {
    within(async {
        // The control stream's, and one more.
        let (client, (peer, _control)) = bare::peer(2).await;
        let _client_s_control = peer.accept_uni().await.unwrap();

        cancel(client.diagnose(Thresholds::default())).await;

        let mut recv = peer.accept_uni().await.unwrap();
        assert_eq!(raw::reset_code(&mut recv).await, raw::H3_NO_ERROR);
        drop(recv);
        let diagnosis = client.diagnose(Thresholds::default()).await;
        assert!(diagnosis.is_healthy(), "{diagnosis:?}");
    })
    .await;
}

#[tokio::test]
async fn an_application_that_holds_every_stream_does_not_make_the_peer_seem_gone() {
    // The ping starved, and was taken for one without an answer.
    within(async {
        let pair = connected().await;
        let (opened, _there) = session(&pair.client, &pair.server).await;
        let mut held = Vec::new();
        while let Some(stream) = once(pin!(opened.open_uni())).await {
            held.push(stream.unwrap());
        }

        let timeout = Duration::from_millis(100);
        let thresholds = Thresholds::default().ping_timeout(timeout);
        let diagnosis = pair.client.diagnose(thresholds).await;

        assert!(held.len() > 200, "{}", held.len());
        assert_eq!(diagnosis.issues, [Issue::NoStreamForPing { timeout }]);
    })
    .await;
}

#[tokio::test]
async fn a_path_that_swallows_everything_lets_the_ping_time_out() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        silent.path.swallow();

        let timeout = Duration::from_millis(200);
        let thresholds = Thresholds::default().ping_timeout(timeout);
        let diagnosis = silent.client.diagnose(thresholds).await;

        assert_eq!(diagnosis.issues, [Issue::PingTimedOut { timeout }]);
        assert_eq!(diagnosis.rtt, None);
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_without_an_answer_is_an_issue() {
    // Only where no packet had ever come, which no connection is made without.
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        let session = session(&silent.client, &silent.server).await;
        let thresholds = Thresholds::default()
            .unanswered_packets(2)
            .ping_timeout(Duration::from_millis(300));
        let before = silent.client.diagnose(thresholds).await;
        silent.path.swallow();

        let ticks = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for _ in 0..5 {
                ticks.tick().await;
                session.0.send_datagram("anybody?").unwrap();
            }
        };
        let (found, ()) = tokio::join!(silent.client.diagnose(thresholds), ticks);

        assert!(before.is_healthy(), "{before:?}");
        let [
            Issue::NothingReceived { packets_sent },
            Issue::PingTimedOut { .. },
        ] = found.issues[..]
        else {
            panic!("{found:?}");
        };
        assert!((3..20).contains(&packets_sent), "{packets_sent}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_stale() {
    within(async {
        let pair = connected().await;

        let thresholds = Thresholds::default().stale_after(Duration::ZERO);
        let diagnosis = pair.client.diagnose(thresholds).await;

        assert!(matches!(diagnosis.issues[..], [Issue::Stale { .. }]));
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_breaks_many_rules_is_an_issue() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let malformed = raw::headers(&[(":method", "CONNECT"), (":protocol", "webtransport")]);
        let mut found = Vec::new();
        for errors in 1..=11 {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&malformed).await.unwrap();
            raw::reset_code(&mut recv).await;
            if errors >= 10 {
                found.push(server.diagnose(Thresholds::default()).await.issues);
            }
        }

        let few = Thresholds::default().errors(11);
        assert_eq!(found, [vec![], vec![Issue::ManyErrors { errors: 11 }]]);
        assert!(server.diagnose(few).await.is_healthy());
    })
    .await;
}

#[tokio::test]
async fn a_path_that_is_slow_is_an_issue() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let delay = Duration::from_millis(60);
        let pass = move |packet: &[u8], _| vec![(delay, packet.to_vec())];
        let path = delay_between(address(&server), pass).await;
        let connect = connector(&identity).oneshot(path.into());
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (client, _there) = tokio::join!(connect, accept);
        let client = client.unwrap();

        let strict = Thresholds::default().rtt(2 * delay - Duration::from_millis(1));
        let late = client.diagnose(strict).await;
        let fine = client.diagnose(Thresholds::default()).await;

        let rtt = late.rtt.unwrap();
        assert_eq!(late.issues, [Issue::HighLatency { rtt }]);
        assert!((2 * delay..10 * delay).contains(&rtt), "{rtt:?}");
        assert!(fine.is_healthy(), "{fine:?}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_ends_under_its_ping_is_an_issue() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        // The ping never arrives, and the close does.
        silent.path.pass_up(0);
        let mut diagnosing = pin!(silent.client.diagnose(Thresholds::default()));
        assert!(once(diagnosing.as_mut()).await.is_none());
        let code = quinn::VarInt::from_u32(0x102);
        silent.server.quic().close(code, b"restarting");

        let diagnosis = diagnosing.await;

        let state = ConnectionState::Failed;
        let error = ConnectionError::ClosedByPeer {
            code: 0x102,
            reason: "restarting".into(),
        };
        let expected = [Issue::NotConnected { state }, Issue::PingFailed { error }];
        assert_eq!(diagnosis.issues, expected);
        assert_eq!(diagnosis.rtt, None);
    })
    .await;
}
