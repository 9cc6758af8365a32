//! Many sessions share few connections.

use axum::http::Response;
use examples::stack::stack;
use tokio::task::JoinSet;
use wt_connection::{Limits, Session};

use crate::fleet::{alone, eventually};
use crate::load::call;
use crate::local::Local;

#[tokio::test]
async fn ten_thousand_sessions_are_open_over_four_connections_to_each_of_two_servers() {
    let _alone = alone().await;
    let local = Local::start(2, Limits::default().max_sessions(SESSIONS / 8 + 100));
    let open = async |response: Response<Session>| Ok(response.into_body());
    let stack = stack(local.connector(), local.targets.clone(), open);

    let mut calls = JoinSet::new();
    let mut sessions = Vec::new();
    for n in 0..SESSIONS {
        calls.spawn(call(stack.client.clone()));
        // Few at once: a machine that is busy is to answer each in its time.
        if n % 40 == 39 {
            sessions.extend(calls.join_all().await);
            calls = JoinSet::new();
        }
    }
    let sessions: Vec<_> = sessions.into_iter().map(Result::unwrap).collect();

    assert_eq!(sessions.len(), SESSIONS as usize);
    // Probes have connections of their own, with a session on each, and close them at once.
    eventually("no other session is open", || {
        local.sessions() == sessions.len()
    })
    .await;
    eventually("no other connection is open", || {
        let mut servers = local.connections.iter();
        servers.all(|connections| connections.len() <= 4)
    })
    .await;
    let pool = stack.figures.pool();
    assert_eq!(pool.total.lent, sessions.len());
    assert_eq!(pool.targets.len(), 2);
    for (target, stats) in &pool.targets {
        assert!(stats.opened <= 4, "{target}: {stats:?}");
    }

    drop(sessions);
    eventually("all are closed", || local.sessions() == 0).await;
    eventually("all slots come back", || {
        stack.figures.pool().total.lent == 0
    })
    .await;
}

const SESSIONS: u32 = 10_000;
