//! Pings, which no page sees.

use std::time::Duration;

use crate::draft::Draft;
use crate::site::{Case, in_session};

each_draft! {
    the_browser_answers_pings,
}

async fn the_browser_answers_pings(draft: Draft) {
    let case = Case::new(draft, include_str!("closing.js"), "isClosed");

    in_session(case, async |session| {
        let connection = session.connection();
        // More than it allows streams at first.
        for _ in 0..300 {
            connection.ping(PATIENCE).await.unwrap();
        }
        session.close(0, "");
    })
    .await;
}

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
