//! What an endpoint's close does to what is under way.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::bounded::{until, within};
use common::path::{Way, stand_between};
use common::{address, connected, pair, session};
use tokio::time::timeout;
use tower::ServiceExt;
use wt_connection::{ConnectionState, SessionError};

/// Nobody told such a session, and the close waited for it as long as the peer wished.
#[tokio::test]
async fn a_session_accepted_while_its_endpoint_closes_is_closed_with_it() {
    let pair = connected().await;
    let _other = session(&pair.client, &pair.server).await;
    let accept = async {
        let request = pair.server.accept().await.unwrap();
        let close = pair.server_endpoint.close(7, "bye");
        // It lasts until the other session's peer has answered.
        let mut states = pair.server.states();
        let closing = states.wait_for(|state| *state == ConnectionState::Closing);
        drop(closing.await.unwrap());
        let session = request.accept().await.unwrap();
        close.await;
        session.closed().await
    };

    let both = async { tokio::join!(pair.client.open("/"), accept) };
    let (_open, end) = timeout(Duration::from_secs(5), both).await.unwrap();

    let SessionError::Closed(close) = end else {
        panic!("the session ended in another way: {end}");
    };
    assert_eq!((close.code(), close.reason()), (7, "bye"));
}

/// It lasted until the idle timeout, 30 s.
#[tokio::test]
async fn a_client_whose_first_packet_says_that_it_gives_up_does_not_hold_up_the_close() {
    within(async {
        let (server, connector) = pair();
        let away = Arc::new(AtomicBool::new(true));
        let lost = Arc::clone(&away);
        let sent = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&sent);
        let pass = move |packet: &[u8], way| {
            seen.store(true, Ordering::Relaxed);
            match way == Way::Up && lost.load(Ordering::Relaxed) {
                true => Vec::new(),
                false => vec![packet.to_vec()],
            }
        };
        let path = stand_between(address(&server), pass).await;
        let connecting = tokio::spawn(connector.oneshot(path.into()));
        until(|| sent.load(Ordering::Relaxed)).await;

        away.store(false, Ordering::Relaxed);
        connecting.abort();
        let refused = server.accept().await.unwrap().await;
        assert!(refused.is_err());
        server.close(0, "").await;
    })
    .await;
}
