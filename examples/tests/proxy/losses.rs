use examples::splice::LOST;
use tokio::runtime::Handle;
use wt_connection::{OpenError, Session, SessionError};

use crate::world::{World, soon, until};

/// The proxy gives up the server by the silence, and the client hears so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_ends_its_sessions_with_an_error() {
    let mut world = World::new(1).await;
    let (client, server) = world.session().await;
    let mut stream = client.open_bi().await.unwrap();
    stream.send.write_all(b"x").await.unwrap();
    let other = soon(server.accept_bi()).await.unwrap();
    let tasks = Handle::current().metrics().num_alive_tasks();

    world.servers[0].kill();

    let SessionError::ClosedByPeer(close) = soon(client.closed()).await else {
        panic!("the proxy did not close the session");
    };
    assert_eq!(
        (close.code(), close.reason()),
        (LOST, "the other end is lost")
    );
    assert!(soon(stream.recv.read_chunk(1)).await.is_err());
    // Nothing is left of it: no connection, and fewer tasks than it had.
    until(|| world.outward.open_connections() == 0).await;
    until(|| Handle::current().metrics().num_alive_tasks() < tasks).await;
    drop((server, other));
}

#[tokio::test]
async fn a_client_that_is_gone_ends_its_sessions_with_an_error() {
    let world = World::new(1).await;
    let (_client, server) = world.session().await;

    // Not `H3_NO_ERROR`.
    world.client.quic().close(0x102_u32.into(), b"");

    let SessionError::ClosedByPeer(close) = soon(server.closed()).await else {
        panic!("the proxy did not close the session");
    };
    assert_eq!(
        (close.code(), close.reason()),
        (LOST, "the other end is lost")
    );
}

/// What was opened for it is given back.
#[tokio::test]
async fn a_client_that_gives_up_early_leaves_no_session() {
    let world = World::new(1).await;
    let connection = world.client.clone();
    let opening = tokio::spawn(async move { connection.open("/").await });
    let request = world.servers[0].request().await;

    opening.abort();

    // The server's answer comes to nobody.
    if let Ok(session) = soon(request.accept()).await {
        soon(session.closed()).await;
    }
    // The slot is free again.
    let (client, server) = world.session().await;
    assert_eq!(server.connection().sessions().len(), 1);
    drop(client);
}

#[tokio::test]
async fn without_a_server_a_session_is_refused() {
    let world = World::without_servers().await;

    let error = soon(world.client.open("/")).await.unwrap_err();

    let OpenError::Rejected(response) = error else {
        panic!("{error}");
    };
    assert_eq!(response.status(), 503);
}

/// One session more, which either server may accept; says which.
async fn opened(world: &World) -> (usize, Session, Session) {
    let accepting = async {
        let (which, request) = tokio::select! {
            request = world.servers[0].request() => (0, request),
            request = world.servers[1].request() => (1, request),
        };
        (which, request.accept().await.unwrap())
    };
    let opening = async { world.client.open("/").await.unwrap() };
    let (client, (which, server)) = soon(async { tokio::join!(opening, accepting) }).await;
    (which, client, server)
}

/// Its sessions end, and all that are asked for from then on are the other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_replaced_by_another() {
    let mut world = World::new(2).await;
    let mut sessions = [Vec::new(), Vec::new()];
    while sessions.iter().any(|of_one| of_one.len() < 8) {
        let (which, client, server) = opened(&world).await;
        sessions[which].push((client, server));
    }
    let [mut lost, kept] = sessions;
    // Who is less busy is asked first, as a rule.
    for (client, server) in lost.drain(1..) {
        client.close(0, "");
        soon(server.closed()).await;
    }

    let mut dead = world.servers.remove(0);
    dead.kill();

    // Nobody knows yet, so that it is asked, in vain.
    let open = || soon(world.session());
    let early = tokio::join!(open(), open(), open(), open(), open());
    let SessionError::ClosedByPeer(close) = soon(lost[0].0.closed()).await else {
        panic!("the proxy did not close the session");
    };
    assert_eq!(close.code(), LOST);
    let mut later = Vec::new();
    for _ in 0..10 {
        later.push(open().await);
    }
    for (client, server) in kept.iter().chain(&later) {
        client.open_uni().await.unwrap().finish().unwrap();
        let mut recv = soon(server.accept_uni()).await.unwrap();
        assert_eq!(soon(recv.read_chunk(1)).await, Ok(None));
    }
    drop(early);
}
