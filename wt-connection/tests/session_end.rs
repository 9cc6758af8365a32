//! How a session ends, seen from both sides.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::{Pin, pin};
use std::sync::Arc;

use common::bounded::{once, within};
use common::{Pair, connected, connections, connector, server_builder, session};
use wt_connection::{
    BiStream, Connection, Limits, ReadError, SendDatagramError, SendStream, Session, SessionError,
    WriteError,
};

#[tokio::test]
async fn each_side_is_told_who_closed_with_which_code_and_reason() {
    within(async {
        let pair = connected().await;
        for (code, reason) in [(0, ""), (7, "that was all"), (u32::MAX, "ü")] {
            let (client, server) = session(&pair.client, &pair.server).await;
            close(&client, &server, code, reason).await;

            let (client, server) = session(&pair.client, &pair.server).await;
            close(&server, &client, code, reason).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_long_reason_is_cut_between_two_characters() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let reason = format!("a{}", "é".repeat(600));

        client.close(1, &reason);

        let cut = format!("a{}", "é".repeat(511));
        assert_eq!(server.closed().await.close().unwrap().reason(), cut);
        assert_eq!(client.closed().await.close().unwrap().reason(), cut);
    })
    .await;
}

#[tokio::test]
async fn the_first_close_counts() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        client.close(1, "first");
        client.close(2, "second");
        let closed = server.closed().await;
        client.close(3, "third");

        assert_eq!(closed.close().unwrap().code(), 1);
        assert_eq!(client.closed().await.close().unwrap().code(), 1);
    })
    .await;
}

#[tokio::test]
async fn both_sides_may_close_at_once() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        client.close(1, "");
        server.close(2, "");
        let (here, there) = tokio::join!(client.closed(), server.closed());

        assert_eq!(here.close().unwrap().code(), 1);
        assert_eq!(there.close().unwrap().code(), 2);
        session(&pair.client, &pair.server).await;
    })
    .await;
}

#[tokio::test]
async fn what_waits_on_either_side_fails_at_once_when_this_side_closes() {
    within(async {
        let (_endpoints, client, server) = full().await;

        let here = occupy(&client, &server).await;
        let there = occupy(&server, &client).await;
        let here = wait(&client, here).await;
        let there = wait(&server, there).await;
        client.close(7, "over");

        let (ours, theirs) = (client.closed().await, server.closed().await);
        assert!(matches!(ours, SessionError::Closed(_)));
        assert!(matches!(theirs, SessionError::ClosedByPeer(_)));
        here.fails_with(&ours).await;
        there.fails_with(&theirs).await;
    })
    .await;
}

#[tokio::test]
async fn idle_streams_fail_on_both_sides() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let mut here = client.open_bi().await.unwrap();
        here.send.write_all(b"x").await.unwrap();
        let mut there = server.accept_bi().await.unwrap();

        server.close(7, "over");

        let (ours, theirs) = (client.closed().await, server.closed().await);
        for (stream, error) in [(&mut here, ours), (&mut there, theirs)] {
            let read = ReadError::Session(error.clone());
            let write = WriteError::Session(error);
            assert_eq!(stream.recv.read(&mut [0]).await, Err(read.clone()));
            assert_eq!(stream.recv.stop(1), Err(read));
            assert_eq!(stream.send.write(b"x").await, Err(write.clone()));
            assert_eq!(stream.send.stopped().await, Err(write.clone()));
            assert_eq!(stream.send.finish(), Err(write.clone()));
            assert_eq!(stream.send.reset(1), Err(write.clone()));
            assert_eq!(stream.send.priority(), Err(write));
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_session_opens_accepts_and_sends_nothing() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        client.close(7, "over");

        for session in [client, server] {
            let error = session.closed().await;
            assert_eq!(session.open_bi().await.unwrap_err(), error);
            assert_eq!(session.open_uni().await.unwrap_err(), error);
            assert_eq!(session.accept_bi().await.unwrap_err(), error);
            assert_eq!(session.accept_uni().await.unwrap_err(), error);
            assert_eq!(session.read_datagram().await.unwrap_err(), error);
            session.draining().await;
            let refused = session.send_datagram(b"x");
            assert_eq!(refused, Err(SendDatagramError::Session(error)));
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_session_holds_is_dropped_at_its_end_and_no_sooner() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let guards = [&client, &server].map(|session| {
            let guard = Arc::new(());
            session.hold(Arc::clone(&guard));
            guard
        });

        // A round trip, in which nothing ends.
        client.send_datagram(b"x").unwrap();
        server.read_datagram().await.unwrap();
        assert!(guards.iter().all(|guard| Arc::strong_count(guard) == 2));
        client.close(0, "");
        server.closed().await;
        client.closed().await;

        assert!(guards.iter().all(|guard| Arc::strong_count(guard) == 1));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_over_holds_nothing() {
    within(async {
        let pair = connected().await;
        let (client, _server) = session(&pair.client, &pair.server).await;
        client.close(0, "");
        client.closed().await;
        let guard = Arc::new(());

        client.hold(Arc::clone(&guard));

        assert_eq!(Arc::strong_count(&guard), 1);
    })
    .await;
}

#[tokio::test]
async fn guards_that_panic_keep_nobody_waiting() {
    // The session's task died of it, and who waited for the end waited for ever.
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a guard that panics, on purpose");
        }
    }
    within(async {
        let pair = connected().await;
        let (client, _server) = session(&pair.client, &pair.server).await;
        let held = Arc::new(());
        client.hold(Panics);
        client.hold(Panics);
        client.hold(held.clone());

        client.close(0, "");

        client.closed().await;
        assert_eq!(Arc::strong_count(&held), 1);
    })
    .await;
}

#[tokio::test]
async fn a_guard_may_use_the_session_that_drops_it() {
    within(async {
        struct Closes(Session);
        impl Drop for Closes {
            fn drop(&mut self) {
                self.0.hold(());
                self.0.close(1, "again");
            }
        }
        let pair = connected().await;
        let (client, _server) = session(&pair.client, &pair.server).await;

        client.hold(Closes(client.clone()));
        client.close(0, "");

        assert_eq!(client.closed().await.close().unwrap().code(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_place_of_a_session_that_the_client_closed_is_free_again() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        for _ in 0..50 {
            let (here, _there) = session(&client, &server).await;
            here.close(0, "");
            here.closed().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_place_of_a_session_that_the_server_closed_is_free_again() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        for _ in 0..50 {
            let (here, there) = session(&client, &server).await;
            there.close(0, "");
            here.closed().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_of_a_session_is_free_again_on_threads_of_its_own() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        for number in 0..100 {
            let (here, there) = session(&client, &server).await;
            let closer = if number % 2 == 0 { &here } else { &there };
            closer.close(0, "");
            here.closed().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_of_a_session_that_was_rejected_is_free_again() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        for _ in 0..50 {
            let reject = async {
                let request = server.accept().await.unwrap();
                request.reject(http::StatusCode::NOT_FOUND).await.unwrap();
            };
            let (opened, ()) = tokio::join!(client.open("/"), reject);
            assert!(matches!(opened, Err(wt_connection::OpenError::Rejected(_))));
        }
    })
    .await;
}

async fn close(closer: &Session, other: &Session, code: u32, reason: &str) {
    closer.close(code, reason);

    let SessionError::ClosedByPeer(close) = other.closed().await else {
        panic!("not closed by the peer");
    };
    assert_eq!((close.code(), close.reason()), (code, reason));
    assert_eq!(closer.closed().await, SessionError::Closed(close));
}

/// Operations of a session that wait for the peer, one of each kind.
struct Waiting {
    sessions: Vec<Pin<Box<dyn Future<Output = SessionError>>>>,
    reads: Pin<Box<dyn Future<Output = ReadError>>>,
    writes: Vec<Pin<Box<dyn Future<Output = WriteError>>>>,
}

/// Opens all the streams that the peer allows; the peer takes its ends in, and keeps them.
async fn occupy(session: &Session, peer: &Session) -> (BiStream, SendStream) {
    let opened = (
        session.open_bi().await.unwrap(),
        session.open_uni().await.unwrap(),
    );
    let bi = peer.accept_bi().await.unwrap();
    let uni = peer.accept_uni().await.unwrap();
    peer.hold((bi, uni));
    opened
}

/// Lets everything wait that can.
async fn wait(session: &Session, (bi, mut uni): (BiStream, SendStream)) -> Waiting {
    let (mut send, mut recv) = bi.split();
    while once(pin!(send.write(&[7; 1 << 16]))).await.is_some() {}
    let [a, b, c, d, e, f] = [(); 6].map(|()| session.clone());
    let mut waiting = Waiting {
        sessions: vec![
            Box::pin(async move { a.accept_bi().await.unwrap_err() }),
            Box::pin(async move { b.accept_uni().await.unwrap_err() }),
            Box::pin(async move { c.open_bi().await.unwrap_err() }),
            Box::pin(async move { d.open_uni().await.unwrap_err() }),
            Box::pin(async move { e.read_datagram().await.unwrap_err() }),
            Box::pin(async move { f.closed().await }),
        ],
        reads: Box::pin(async move { recv.read(&mut [0]).await.unwrap_err() }),
        writes: vec![
            Box::pin(async move { send.write(&[7]).await.unwrap_err() }),
            Box::pin(async move { uni.stopped().await.unwrap_err() }),
        ],
    };
    for session in &mut waiting.sessions {
        assert!(once(session.as_mut()).await.is_none());
    }
    assert!(once(waiting.reads.as_mut()).await.is_none());
    for write in &mut waiting.writes {
        assert!(once(write.as_mut()).await.is_none());
    }
    waiting
}

impl Waiting {
    async fn fails_with(self, error: &SessionError) {
        for session in self.sessions {
            assert_eq!(session.await, *error);
        }
        assert_eq!(self.reads.await, ReadError::Session(error.clone()));
        for write in self.writes {
            assert_eq!(write.await, WriteError::Session(error.clone()));
        }
    }
}

/// A session on which each side may open one stream of each kind.
async fn full() -> (Pair, Session, Session) {
    let (identity, builder) = server_builder();
    // One for the CONNECT, and one for the control stream.
    let endpoint = builder.transport(streams(2, 2)).bind().unwrap();
    let connector = connector(&identity).transport(streams(1, 2));
    let (client, server) = connections(&endpoint, &connector).await;
    let (here, there) = session(&client, &server).await;
    let pair = Pair {
        client,
        server,
        server_endpoint: endpoint,
        connector,
    };
    (pair, here, there)
}

fn streams(bi: u8, uni: u8) -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(bi.into())
        .max_concurrent_uni_streams(uni.into());
    transport
}

async fn one_at_a_time() -> (impl Sized, Connection, Connection) {
    let (identity, builder) = server_builder();
    let limits = Limits::default().max_sessions(1);
    let endpoint = builder.limits(limits).bind().unwrap();
    let connector = connector(&identity);
    let (client, server) = connections(&endpoint, &connector).await;
    ((endpoint, connector), client, server)
}
