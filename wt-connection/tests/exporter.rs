//! Keys that only the two sides of a session know.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::{connected, raw, session};
use wt_connection::{KeyingMaterialError, Limits, Session};

#[tokio::test]
async fn both_sides_of_a_session_derive_the_same_keys_and_nobody_else_does() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let (other, _there) = session(&pair.client, &pair.server).await;

        let keys = export(&client, b"label", b"context");

        assert_eq!(export(&server, b"label", b"context"), keys);
        assert_ne!(export(&other, b"label", b"context"), keys);
        assert_ne!(export(&client, b"other", b"context"), keys);
        assert_ne!(export(&client, b"label", b"other"), keys);
        assert_ne!(export(&client, b"labelc", b"ontext"), keys);
    })
    .await;
}

#[tokio::test]
async fn keys_are_derived_as_the_draft_has_it() {
    within(async {
        let raw = raw::session(Limits::default()).await;
        let context = [&raw.id().to_be_bytes()[..], b"\x05label\x07context"].concat();
        let mut keys = [0; 32];
        let quic = &raw.peer.quic;
        quic.export_keying_material(&mut keys, b"EXPORTER-WebTransport", &context)
            .unwrap();

        assert_eq!(export(&raw.session, b"label", b"context"), keys);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_derived_says_why() {
    within(async {
        let pair = connected().await;
        let (client, _server) = session(&pair.client, &pair.server).await;
        let mut short = [0; 32];
        let mut long = vec![0; 1 << 20];

        let label = client.export_keying_material(&mut short, &[7; 256], b"");
        let output = client.export_keying_material(&mut long, b"label", b"");

        assert_eq!(label, Err(KeyingMaterialError::TooLong));
        assert_eq!(output, Err(KeyingMaterialError::Length));
    })
    .await;
}

fn export(session: &Session, label: &[u8], context: &[u8]) -> [u8; 32] {
    let mut keys = [0; 32];
    session
        .export_keying_material(&mut keys, label, context)
        .unwrap();
    keys
}
