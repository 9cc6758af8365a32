use std::time::Duration;

use tokio::time::timeout;
use wt_connection::Session;

use crate::world::{World, soon};

/// Sends until one arrives: datagrams may be lost.
async fn arrives(from: &Session, to: &Session, payload: &[u8]) {
    let sending = async {
        loop {
            from.send_datagram(payload).unwrap();
            if let Ok(datagram) = timeout(Duration::from_secs(1), to.read_datagram()).await {
                return datagram.unwrap();
            }
        }
    };
    assert_eq!(soon(sending).await, payload);
}

#[tokio::test]
async fn datagrams_go_both_ways() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    arrives(&client, &server, b"there").await;
    arrives(&server, &client, b"and back").await;
    arrives(&client, &server, b"").await;
}

/// One of two sessions on the same connections gets the other's only if they were mixed up.
#[tokio::test]
async fn datagrams_stay_in_their_session() {
    let world = World::new(1).await;
    let (one, one_server) = world.session().await;
    let (two, two_server) = world.session().await;

    for _ in 0..10 {
        arrives(&one, &one_server, b"one").await;
        arrives(&two, &two_server, b"two").await;
        arrives(&two_server, &two, b"two").await;
        arrives(&one_server, &one, b"one").await;
    }
}

/// It is lost, and no more than it.
#[tokio::test]
async fn a_flood_of_datagrams_leaves_the_session_alive() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    for _ in 0..10_000 {
        client.send_datagram([7; 1000]).unwrap();
    }
    let received = async { while soon(server.read_datagram()).await.unwrap() != "the end"[..] {} };
    let sending = async {
        loop {
            client.send_datagram("the end").unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = received => {}
        () = sending => {}
    }
    let mut stream = client.open_uni().await.unwrap();
    stream.write_all(b"alive").await.unwrap();
    stream.finish().unwrap();
    let mut recv = soon(server.accept_uni()).await.unwrap();
    assert_eq!(soon(recv.read_to_end(10)).await.unwrap(), b"alive");
}
