use std::sync::atomic::Ordering;

use examples::splice::splice;
use tokio::runtime::Handle;
use wt_connection::{Limits, RecvStream, SendStream, Session};

use crate::world::{WINDOW, World, pair, pair_with, settled, soon, written};

/// More than all windows hold, and no multiple of any.
fn payload() -> Vec<u8> {
    (0..1_000_003_u32).map(|byte| (byte % 251) as u8).collect()
}

async fn send(mut send: SendStream, payload: &[u8]) {
    send.write_all(payload).await.unwrap();
    send.finish().unwrap();
    assert_eq!(send.stopped().await, Ok(None));
}

async fn receive(mut recv: RecvStream) -> Vec<u8> {
    recv.read_to_end(2_000_000).await.unwrap()
}

async fn bi_echoes(from: &Session, to: &Session) {
    let payload = payload();
    let ask = async {
        let (to_send, from_recv) = from.open_bi().await.unwrap().split();
        tokio::join!(send(to_send, &payload), receive(from_recv)).1
    };
    let answer = async {
        let (to_send, from_recv) = to.accept_bi().await.unwrap().split();
        let all = receive(from_recv).await;
        send(to_send, &all).await;
    };
    assert!(soon(async { tokio::join!(ask, answer).0 }).await == payload);
}

async fn uni_arrives(from: &Session, to: &Session) {
    let payload = payload();
    let sending = async { send(from.open_uni().await.unwrap(), &payload).await };
    let receiving = async { receive(to.accept_uni().await.unwrap()).await };
    assert!(soon(async { tokio::join!(sending, receiving).1 }).await == payload);
}

#[tokio::test]
async fn bidirectional_streams_go_both_ways() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    bi_echoes(&client, &server).await;
    bi_echoes(&server, &client).await;
}

#[tokio::test]
async fn unidirectional_streams_go_both_ways() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    uni_arrives(&client, &server).await;
    uni_arrives(&server, &client).await;
}

/// The server hears of it before the client has written anything.
#[tokio::test]
async fn a_stream_that_is_only_opened_arrives() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    let asked = client.open_bi().await.unwrap();
    let mut answer = soon(server.accept_bi()).await.unwrap();
    answer.send.write_all(b"you first").await.unwrap();
    answer.send.finish().unwrap();

    let (_send, recv) = asked.split();
    assert_eq!(soon(receive(recv)).await, b"you first");
}

async fn slow_reader_slows(from: &Session, to: &Session) {
    const SIZE: usize = 16 << 20;
    let (written, writer) = written(from.open_uni().await.unwrap(), SIZE);
    let mut recv = soon(to.accept_uni()).await.unwrap();

    let before = settled(|| written.load(Ordering::Relaxed)).await;

    // Both paths' windows, the chunk that is carried, and the one that is written.
    let most = 4 * WINDOW as usize;
    assert!((1..=most).contains(&before), "{before} bytes were taken");
    let mut read = 0;
    while let Some(chunk) = soon(recv.read_chunk(usize::MAX)).await.unwrap() {
        read += chunk.len();
        let ahead = written.load(Ordering::Relaxed).saturating_sub(read);
        assert!(ahead <= most, "the writer is {ahead} bytes ahead");
    }
    assert_eq!(read, SIZE);
    assert_eq!(soon(writer).await.unwrap(), Ok(None));
}

/// A proxy that read what nobody takes would fill its memory.
#[tokio::test]
async fn a_slow_reader_slows_the_writer() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;

    slow_reader_slows(&client, &server).await;
    slow_reader_slows(&server, &client).await;
}

/// Each that is accepted takes a task of the proxy's, and the room for a chunk.
#[tokio::test]
async fn no_more_streams_are_accepted_than_the_other_side_has_room_for() {
    const ROOM: u32 = 4;
    const STREAMS: u8 = 50;
    let limits = Limits::default().session_credit(1 << 20, ROOM, ROOM);
    let ((client, near), (far, server)) = (pair().await, pair_with(limits).await);
    let splicing = tokio::spawn(splice(near, far));
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = settled(tasks).await;
    let mut open = Vec::new();
    for stream in 0..STREAMS {
        let mut uni = client.open_uni().await.unwrap();
        let (mut bi, _) = client.open_bi().await.unwrap().split();
        for send in [&mut uni, &mut bi] {
            send.write_all(&[stream]).await.unwrap();
        }
        open.extend([uni, bi]);
    }

    let carried = settled(|| tasks().saturating_sub(before)).await;

    assert_eq!(carried, 2 * ROOM as usize);
    // Those that wait have lost nothing.
    for mut send in open {
        send.finish().unwrap();
    }
    for stream in 0..STREAMS {
        let uni = soon(server.accept_uni()).await.unwrap();
        assert_eq!(soon(receive(uni)).await, [stream]);
        let (_, bi) = soon(server.accept_bi()).await.unwrap().split();
        assert_eq!(soon(receive(bi)).await, [stream]);
    }
    splicing.abort();
}

/// One that waits must not hold up the others of its session.
#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_no_other() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    let mut stuck = client.open_uni().await.unwrap();
    let filling = tokio::spawn(async move {
        let _ = stuck.write_all(&vec![7; 1 << 20]).await;
    });
    let unread = soon(server.accept_uni()).await.unwrap();

    for _ in 0..3 {
        let sending = async { send(client.open_uni().await.unwrap(), b"passing").await };
        let receiving = async { receive(server.accept_uni().await.unwrap()).await };
        assert_eq!(
            soon(async { tokio::join!(sending, receiving).1 }).await,
            b"passing"
        );
    }

    drop(unread);
    soon(filling).await.unwrap();
}
