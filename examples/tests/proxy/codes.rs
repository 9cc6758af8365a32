use wt_connection::{ReadError, Session};

use crate::world::{World, soon};

async fn reset_passes(from: &Session, to: &Session) {
    let mut send = from.open_uni().await.unwrap();
    send.write_all(b"so far").await.unwrap();
    let mut recv = soon(to.accept_uni()).await.unwrap();
    assert_eq!(soon(recv.read_chunk(6)).await.unwrap().unwrap(), "so far");
    send.reset(0xdead_beef).unwrap();
    assert_eq!(
        soon(recv.read_chunk(1)).await,
        Err(ReadError::Reset(Some(0xdead_beef)))
    );
}

/// The source is silent, so that nothing but the stop can tell it.
async fn stop_passes(from: &Session, to: &Session) {
    let mut send = from.open_uni().await.unwrap();
    send.write_all(b"so far").await.unwrap();
    let mut recv = soon(to.accept_uni()).await.unwrap();
    recv.stop(77).unwrap();
    assert_eq!(soon(send.stopped()).await, Ok(Some(77)));
}

/// The writer is held up by the windows when it hears of it.
async fn stop_passes_to_a_writer(from: &Session, to: &Session) {
    let mut send = from.open_uni().await.unwrap();
    let writing = async {
        loop {
            if let Err(error) = send.write_all(&[7; 65_536]).await {
                return error;
            }
        }
    };
    let stopping = async {
        let mut recv = to.accept_uni().await.unwrap();
        recv.read_chunk(1).await.unwrap();
        recv.stop(78).unwrap();
    };
    let (error, ()) = soon(async { tokio::join!(writing, stopping) }).await;
    assert_eq!(error, wt_connection::WriteError::Stopped(Some(78)));
}

#[tokio::test]
async fn reset_codes_pass_both_ways() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    reset_passes(&client, &server).await;
    reset_passes(&server, &client).await;
}

#[tokio::test]
async fn stop_codes_pass_both_ways() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    stop_passes(&client, &server).await;
    stop_passes(&server, &client).await;
    stop_passes_to_a_writer(&client, &server).await;
    stop_passes_to_a_writer(&server, &client).await;
}

/// Each direction of a bidirectional stream ends by itself.
#[tokio::test]
async fn a_reset_leaves_the_other_direction_alone() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    let (mut asking, mut answered) = client.open_bi().await.unwrap().split();
    asking.write_all(b"?").await.unwrap();
    let (mut answering, mut asked) = soon(server.accept_bi()).await.unwrap().split();
    soon(asked.read_chunk(1)).await.unwrap();

    asking.reset(1).unwrap();
    assert_eq!(
        soon(asked.read_chunk(1)).await,
        Err(ReadError::Reset(Some(1)))
    );
    answering.write_all(b"!").await.unwrap();
    answering.finish().unwrap();

    assert_eq!(soon(answered.read_to_end(10)).await.unwrap(), b"!");
}
