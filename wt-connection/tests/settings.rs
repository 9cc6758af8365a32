//! What a connection tells of how it was made.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::bounded::within;
use common::raw;
use common::{connected, connections, connector, server_builder};
use wt_connection::{ConnectionSettings, Connector, Endpoint, Limits, Transport};

#[tokio::test]
async fn the_settings_are_those_that_were_set() {
    within(async {
        let (identity, builder) = server_builder();
        let transport = Transport::default()
            .keep_alive_interval(Some(SECOND))
            .max_bi_streams(17)
            .max_uni_streams(18)
            .receive_windows(19_000, 20_000);
        let server = builder.limits(limits(1)).transport(transport);
        let server = server.bind().unwrap();
        let connector = connector(&identity)
            .limits(limits(100))
            .connect_timeout(7 * SECOND)
            .keep_alive_interval(None)
            .max_idle_timeout(Some(9 * SECOND));

        let (client, there) = connections(&server, &connector).await;

        let (ours, theirs) = (client.settings(), there.settings());
        assert_eq!(ours.connect_timeout, Some(7 * SECOND));
        assert_eq!(ours.keep_alive_interval, None);
        assert_eq!(ours.max_idle_timeout, Some(9 * SECOND));
        assert_eq!(theirs.connect_timeout, None);
        assert_eq!(theirs.keep_alive_interval, Some(SECOND));
        assert_eq!(theirs.max_idle_timeout, Some(30 * SECOND));
        assert_eq!(streams(&theirs), (Some(17), Some(18)));
        assert_eq!(windows(&theirs), (Some(19_000), Some(20_000)));
        assert_eq!(streams(&ours), (Some(256), Some(256)));
        assert_eq!(windows(&ours), (Some(1_250_000), Some(16 << 20)));
        for (settings, first) in [(ours, 100), (theirs, 1)] {
            assert_eq!(settings.max_sessions as usize, first);
            assert_eq!(settings.early_streams, first + 1);
            assert_eq!(settings.early_datagrams, first + 2);
            assert_eq!(settings.received_datagrams, first + 3);
            assert_eq!(settings.header_block, first + 4000);
            assert_eq!(settings.header_timeout, 5 * SECOND);
            assert_eq!(settings.flush_timeout, 6 * SECOND);
        }
    })
    .await;
}

#[tokio::test]
async fn what_one_side_sent_the_other_has_received() {
    within(async {
        let pair = connected().await;

        let (client, server) = (pair.client.settings(), pair.server.settings());

        let pairs = |settings: &wt_connection::Http3Settings| settings.iter().collect::<Vec<_>>();
        assert_eq!(pairs(&client.sent), pairs(&server.received));
        assert_eq!(pairs(&server.sent), pairs(&client.received));
        assert_eq!(client.received.get(0x08), Some(1));
        assert_eq!(client.sent.get(0x08), None);
    })
    .await;
}

#[tokio::test]
async fn settings_that_mean_nothing_here_are_told_too() {
    within(async {
        let announced = [&raw::ENABLED[..], &[(0x1234_5678, 9)]].concat();
        let (_peer, client, _connector) = raw::server(&announced).await;

        let received = client.settings().received;

        assert_eq!(received.iter().collect::<Vec<_>>(), announced);
    })
    .await;
}

#[tokio::test]
async fn a_transport_of_quinn_s_own_type_is_not_read() {
    within(async {
        let (identity, builder) = server_builder();
        let own = Arc::new(quinn::TransportConfig::default());
        let server = builder.transport(Arc::clone(&own)).bind().unwrap();
        let client = Endpoint::from(common::bare::client(
            identity.certificate_chain()[0].clone(),
        ));

        let (client, there) = connections(&server, &Connector::new(client)).await;

        for settings in [client.settings(), there.settings()] {
            assert_eq!(settings.keep_alive_interval, None);
            assert_eq!(settings.max_idle_timeout, None);
            assert_eq!(streams(&settings), (None, None));
            assert_eq!(windows(&settings), (None, None));
        }
    })
    .await;
}

fn streams(settings: &ConnectionSettings) -> (Option<u32>, Option<u32>) {
    (settings.max_bi_streams, settings.max_uni_streams)
}

fn windows(settings: &ConnectionSettings) -> (Option<u32>, Option<u32>) {
    (settings.stream_receive_window, settings.receive_window)
}

fn limits(first: usize) -> Limits {
    Limits::default()
        .max_sessions(first as u32)
        .early_streams(first + 1)
        .early_datagrams(first + 2)
        .received_datagrams(first + 3)
        .header_block(first + 4000)
        .header_timeout(5 * SECOND)
        .flush_timeout(6 * SECOND)
}

const SECOND: Duration = Duration::from_secs(1);
