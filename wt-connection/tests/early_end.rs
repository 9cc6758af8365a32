//! A client that has ended its direction of a CONNECT stream before anybody answers.
//!
//! Looking out for its reset once left a waker behind in quinn, whose assertion against that ended
//! the session's task where the end was read.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::bounded::within;
use common::raw::{self, Raw};
use common::serve::{Served, reply};
use wt_connection::{Limits, SessionError, Upgrade};

#[tokio::test]
async fn a_connect_that_ends_at_once_is_accepted_and_its_session_closed() {
    within(async {
        count_panics();
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;

        let _streams = ended(&peer, b"").await;
        let session = server.accept().await.unwrap().accept().await.unwrap();

        assert!(matches!(
            session.closed().await,
            SessionError::ClosedByPeer(_)
        ));
        drop(session);
        server.close(0, "").await;
        assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    })
    .await;
}

#[tokio::test]
async fn a_connect_that_ends_while_a_service_thinks_is_accepted_and_its_session_closed() {
    within(async {
        count_panics();
        let (ends, mut end) = tokio::sync::mpsc::channel(1);
        let served = Served::by(move |mut request| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            let (session, ends) = (upgrade.session(), ends.clone());
            upgrade.spawn(async move {
                let end = session.await.unwrap().closed().await;
                ends.send(end).await.unwrap();
            });
            async {
                // Until whoever looks out for the client has done so.
                tokio::task::yield_now().await;
                Ok(reply(""))
            }
        });
        let peer = served.raw().await;

        for (content, code) in [(vec![], 0), (raw::data(&raw::close_capsule(7, b"")), 7)] {
            let (_send, mut recv) = ended(&peer, &content).await;

            let Some(SessionError::ClosedByPeer(close)) = end.recv().await else {
                panic!("the client has closed it");
            };
            assert_eq!(close.code(), code);
            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
            assert_eq!(recv.read_to_end(10).await.unwrap(), b"", "an end, too");
        }
        drop(peer);
        while served.endpoint.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    })
    .await;
}

/// A CONNECT, what follows it, and the end of the stream.
async fn ended(peer: &Raw, content: &[u8]) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, recv) = peer.connect_stream().await;
    let bytes = [&raw::connect("/")[..], content].concat();
    send.write_all(&bytes).await.unwrap();
    send.finish().unwrap();
    (send, recv)
}

/// A panic of a task is told to nobody else.
fn count_panics() {
    panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        eprintln!("{panic}");
    }));
}

static PANICS: AtomicUsize = AtomicUsize::new(0);
