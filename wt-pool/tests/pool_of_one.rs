//! A pool of one: a connection that is made once for all who ask, and made anew when it has died.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Ask, SECOND, Server, TARGET, ask};
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_once_share_one_connect() {
    let server = server();
    let one = server.shared(1).service(TARGET);
    let (mut a, mut b) = (one.clone(), one);
    let began = Instant::now();

    let (first, second) = tokio::join!(ask(&mut a, Ask::Number), ask(&mut b, Ask::Number));

    assert_eq!((first.unwrap(), second.unwrap()), (0, 0));
    assert_eq!((server.connects(), began.elapsed()), (1, SECOND));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_died_is_made_anew_once_for_all() {
    let server = server();
    let one = server.shared(1).service(TARGET);
    let (mut a, mut b) = (one.clone(), one);
    assert_eq!(ask(&mut a, Ask::Number).await.unwrap(), 0);

    server.connection(0).kill();
    let (first, second) = tokio::join!(ask(&mut a, Ask::Number), ask(&mut b, Ask::Number));

    assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
    assert_eq!((server.connects(), server.open()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_died_is_made_anew_though_somebody_still_has_it() {
    let server = server();
    let mut one = server.shared(1).service(TARGET);
    let session = one.checkout().await.unwrap();

    server.connection(0).kill();
    let answer = timeout(2 * SECOND, ask(&mut one, Ask::Number)).await;

    assert_eq!(answer.expect("it waits for the session").unwrap(), 1);
    assert_eq!(session.number, 0);
}

/// One that takes a second to connect to, and has room for everybody then.
fn server() -> Server {
    let server = Server::new();
    server.set_capacity(usize::MAX);
    server.delay(SECOND);
    server
}
