//! What an endpoint's close does to what is under way.

mod common;

use std::time::Duration;

use common::{connected, session};
use tokio::time::timeout;
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
