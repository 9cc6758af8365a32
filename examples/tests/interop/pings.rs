//! Pings, where nobody waits for streams: two crates pass over those of no session as long as
//! their application waits for one of its own, and allow no others in their place before.

use wt_connection::{PingError, Session};

use super::peer::{from_our_client, from_their_client};
use crate::ours::{PATIENCE, in_time};

#[tokio::test]
async fn their_ends_answer_as_many_pings_as_they_allow_streams_if_they_accept_none() {
    in_time(async {
        let (server, _theirs) = from_their_client().await;
        let (client, _theirs) = from_our_client().await;
        tokio::join!(pings_end(&server), pings_end(&client));
    })
    .await;
}

async fn pings_end(ours: &Session) {
    let mut answered = 0;
    let error = loop {
        match ours.connection().ping(PATIENCE).await {
            Ok(_) => answered += 1,
            Err(error) => break error,
        }
    };

    assert_eq!(error, PingError::NoStream);
    // A hundred, as quinn has it, but for those of HTTP/3.
    assert!((95..100).contains(&answered), "{answered}");
}
