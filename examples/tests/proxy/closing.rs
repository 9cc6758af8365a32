use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use wt_connection::{ReadError, Session, SessionError};

use crate::world::{World, settled, soon, until, written};

fn told(end: &SessionError) -> (u32, &str) {
    let SessionError::ClosedByPeer(close) = end else {
        panic!("{end}");
    };
    (close.code(), close.reason())
}

#[tokio::test]
async fn the_clients_close_reaches_the_server() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    client.close(42, "that is all");

    assert_eq!(told(&soon(server.closed()).await), (42, "that is all"));
}

#[tokio::test]
async fn the_servers_close_reaches_the_client() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    server.close(u32::MAX, "närmare bestämt");

    let end = soon(client.closed()).await;
    assert_eq!(told(&end), (u32::MAX, "närmare bestämt"));
}

/// It knows the stream to have arrived, at the proxy, and closes.
#[tokio::test]
async fn what_had_arrived_is_delivered_before_the_close() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(&[7; 100_000]).await.unwrap();
    send.finish().unwrap();
    // The server has room for a part of it as long as it reads nothing; the proxy has the rest.
    let mut recv = soon(server.accept_uni()).await.unwrap();
    assert_eq!(soon(send.stopped()).await, Ok(None));

    client.close(1, "");

    let mut read = 0;
    while let Some(chunk) = soon(recv.read_chunk(10_000)).await.unwrap() {
        read += chunk.len();
    }
    assert_eq!(read, 100_000);
    assert_eq!(told(&soon(server.closed()).await), (1, ""));
}

async fn close_passes_a_stuck_stream(from: &Session, to: &Session) {
    let (written, writer) = written(from.open_uni().await.unwrap(), 1 << 20);
    let mut recv = soon(to.accept_uni()).await.unwrap();
    settled(|| written.load(Ordering::Relaxed)).await;
    let began = Instant::now();

    from.close(5, "enough");

    let end = timeout(DELIVERY + SLACK, to.closed()).await.unwrap();
    let took = began.elapsed();
    assert_eq!(told(&end), (5, "enough"));
    assert!(took >= DELIVERY, "it was given up after {took:?}");
    soon(writer).await.unwrap().unwrap_err();
    // It does not look complete.
    let left = async {
        while recv.read_chunk(1 << 20).await?.is_some() {}
        Ok::<_, ReadError>(())
    };
    soon(left).await.unwrap_err();
}

/// It has its time to be delivered, and no more.
#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_a_close_for_ten_seconds() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    let (other_client, other_server) = world.session().await;

    tokio::join!(
        close_passes_a_stuck_stream(&client, &server),
        close_passes_a_stuck_stream(&other_server, &other_client),
    );
}

/// Finished, it would look complete; and reset, as if its writer had thought better of it.
#[tokio::test]
async fn what_breaks_off_with_its_session_says_so() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"half of").await.unwrap();
    let mut recv = soon(server.accept_uni()).await.unwrap();
    soon(recv.read_chunk(7)).await.unwrap();

    client.close(3, "no more");

    let Err(ReadError::Session(end)) = soon(recv.read_chunk(1)).await else {
        panic!("the stream did not end with its session");
    };
    assert_eq!(told(&end), (3, "no more"));
}

/// The last handle of a session closes it with code 0.
#[tokio::test]
async fn a_session_that_is_dropped_is_dropped_on_the_other_side() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    drop(client);

    assert_eq!(told(&soon(server.closed()).await), (0, ""));
}

/// A client that has the connection for one session may close that in its place.
#[tokio::test]
async fn an_orderly_end_of_the_connection_is_one_of_its_sessions() {
    let world = World::new(1).await;
    let (_client, server) = world.session().await;

    // `H3_NO_ERROR`.
    world.client.quic().close(0x100_u32.into(), b"");

    assert_eq!(told(&soon(server.closed()).await), (0, ""));
}

#[tokio::test]
async fn nothing_is_left_of_sessions_that_are_over() {
    let world = World::new(1).await;
    for _ in 0..20 {
        let (client, server) = world.session().await;
        let mut stream = client.open_bi().await.unwrap();
        stream.send.write_all(b"x").await.unwrap();
        let other = soon(server.accept_bi()).await.unwrap();
        client.close(0, "");
        soon(server.closed()).await;
        drop(other);
    }

    // One connection to the server, and no session on either.
    assert_eq!(world.outward.open_connections(), 1);
    until(|| world.client.sessions().is_empty()).await;
    let (client, server) = world.session().await;
    assert_eq!(server.connection().sessions().len(), 1);
    drop(client);
}

/// What the splice gives to the streams of a session that is over.
const DELIVERY: Duration = Duration::from_secs(10);
/// What a busy machine may take for the rest.
const SLACK: Duration = Duration::from_secs(5);
