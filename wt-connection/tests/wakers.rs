//! Wakers, which are somebody else's code, that panic.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::panic;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use common::bounded::within;
use common::hostile::Bystander;
use common::raw;
use common::{Pair, connected, session};
use wt_connection::{ConnectionError, ConnectionState, Limits, OpenError, SessionError};

/// Woken by the connection's own task, it takes that down.
#[tokio::test]
async fn a_waker_that_panics_ends_its_connection_and_lets_nobody_wait_in_vain() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let Pair { client, server, .. } = &connected().await;
        let (ours, theirs) = session(client, server).await;
        let other = ours.clone();
        let waits = tokio::spawn(async move { other.read_datagram().await });
        let mut read = pin!(ours.read_datagram());
        let waker = Waker::from(Arc::new(Panics));
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );

        theirs.send_datagram(b"for whoever comes first").unwrap();
        theirs.send_datagram(b"for the other").unwrap();

        let internal = SessionError::Connection(ConnectionError::Internal);
        assert_eq!(ours.closed().await, internal);
        assert_eq!(client.closed().await, ConnectionError::Internal);
        assert_eq!(client.state(), ConnectionState::Failed);
        assert!(matches!(
            client.open("/").await,
            Err(OpenError::Connection(ConnectionError::Internal))
        ));
        let _ = waits.await.unwrap();
        let ConnectionError::ClosedByPeer { code, .. } = server.closed().await else {
            panic!("not told");
        };
        assert_eq!(code, raw::H3_INTERNAL_ERROR);
        bystander.unharmed().await;
    })
    .await;
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic::resume_unwind(Box::new("a waker's"));
    }
}
