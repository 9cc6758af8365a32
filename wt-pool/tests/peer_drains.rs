//! A peer that goes away in order: its connections take no more calls, and go on with what they
//! have.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Ask, Connection, Handle, Layer1, Server, lend, settle};
use tokio::sync::watch;
use tower::{Layer, Service, ServiceExt};

/// As a user says it: the future ends with the connection, or when it drains.
fn ends_at_drain(drains: &watch::Sender<bool>, layer: Layer1) -> Layer1 {
    let drains = drains.subscribe();
    layer.closed(move |connection: &Connection| {
        let (closed, mut drains) = (connection.closed(), drains.clone());
        async move {
            tokio::select! {
                () = closed => {}
                _ = drains.wait_for(|drains| *drains) => {}
            }
        }
    })
}

fn is_open(connection: &Handle) -> bool {
    !connection.is_gone()
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_drains_is_closed_at_once() {
    // The peer waited for it until the next sweep.
    let server = Server::new();
    let drains = watch::Sender::new(false);
    let pool = ends_at_drain(&drains, Layer1::new(2)).layer(server.maker());
    drop(lend(&pool).await);
    assert!(is_open(&server.connection(0)));

    drains.send_replace(true);
    settle().await;

    assert!(!is_open(&server.connection(0)));
    assert_eq!(pool.stats().total.open, 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_shared_connection_that_drains_is_closed_at_once() {
    let server = Server::new();
    server.set_capacity(5);
    let drains = watch::Sender::new(false);
    let layer = ends_at_drain(&drains, server.sharing(Layer1::new(2)));
    let pool = layer.layer(server.maker());
    drop(lend(&pool).await);

    drains.send_replace(true);
    settle().await;

    assert!(!is_open(&server.connection(0)));
}

#[tokio::test(start_paused = true)]
async fn a_lent_connection_that_drains_goes_on_until_its_slots_come_back() {
    let server = Server::new();
    server.set_capacity(5);
    let drains = watch::Sender::new(false);
    let layer = ends_at_drain(&drains, server.sharing(Layer1::new(2)));
    let pool = layer.layer(server.maker());
    let (mut one, two) = (lend(&pool).await, lend(&pool).await);

    drains.send_replace(true);
    settle().await;

    assert_eq!(one.ready().await.unwrap().call(Ask::Number).await, Ok(0));
    drains.send_replace(false);
    assert_eq!(lend(&pool).await.number, 1, "it is lent no more");
    drop(one);
    assert!(is_open(&server.connection(0)), "the other has it");
    drop(two);
    assert!(!is_open(&server.connection(0)));
}
