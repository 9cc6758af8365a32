//! Pings, which need nothing of what a peer makes of HTTP/3.

use crate::draft::Draft;
use crate::ours::{answers_pings, in_time};
use crate::peer::Peer;
use crate::sessions::from_their_client;

each_draft! {
    their_client_answers_our_server_s_pings,
    their_server_answers_our_client_s_pings,
}

async fn their_client_answers_our_server_s_pings(draft: Draft) {
    in_time(async {
        let (_peer, opened) = from_their_client(draft, ["/echo/a", "/echo/b", "/echo/c"]).await;
        answers_pings(&opened[0].session.connection()).await;
    })
    .await;
}

async fn their_server_answers_our_client_s_pings(draft: Draft) {
    in_time(async {
        let (_peer, connection) = Peer::server(draft).await;
        answers_pings(&connection).await;
    })
    .await;
}
