use wt_connection::SessionError;

use crate::world::{World, soon};

#[tokio::test]
async fn a_server_that_drains_tells_the_client() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    assert!(!client.is_draining());

    server.drain();

    soon(client.draining()).await;
}

#[tokio::test]
async fn a_client_that_drains_tells_the_server() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    client.drain();

    soon(server.draining()).await;
}

/// Both sides are told, and what is open is finished.
#[tokio::test]
async fn the_proxy_shuts_down_when_all_are_done() {
    let mut world = World::new(1).await;
    let (client, server) = world.session().await;

    world.stop();

    soon(client.draining()).await;
    soon(server.draining()).await;
    let mut stream = client.open_uni().await.unwrap();
    stream.write_all(b"the last").await.unwrap();
    stream.finish().unwrap();
    let mut recv = soon(server.accept_uni()).await.unwrap();
    assert_eq!(soon(recv.read_to_end(10)).await.unwrap(), b"the last");
    client.close(7, "done");
    let SessionError::ClosedByPeer(close) = soon(server.closed()).await else {
        panic!("the server was not told");
    };
    assert_eq!((close.code(), close.reason()), (7, "done"));
    let (proxy, outward) = (world.proxy.clone(), world.outward.clone());
    let report = world.stopped().await;
    assert!(report.cut.is_empty(), "{report:?}");
    soon(proxy.close(0, "")).await;
    soon(outward.close(0, "")).await;
}
