use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_test::{assert_ready, task::spawn};

use super::*;

fn granting(data: u64, uni_streams: u64) -> Arc<FlowControl> {
    let theirs = Credit {
        data,
        uni_streams,
        ..Credit::default()
    };
    FlowControl::new(Credit::default(), theirs, None)
}

#[test]
fn what_is_not_opened_after_all_may_be_opened_by_another() {
    let flow = granting(0, 1);
    let first = assert_ready!(spawn(flow.open(Direction::Uni)).poll());
    let mut second = spawn(flow.open(Direction::Uni));
    assert!(second.poll().is_pending());

    drop(first);

    assert!(second.is_woken());
    assert_ready!(second.poll()).opened();
    assert!(spawn(flow.open(Direction::Uni)).poll().is_pending());
}

#[test]
fn bytes_that_are_given_back_wake_whoever_waits_for_them() {
    let flow = granting(4, 0);
    let (mut place, mut old) = (None, None);
    let mut writer = spawn(());
    writer.enter(|cx, _| {
        let other = &mut None;
        assert_eq!(flow.poll_reserve(cx, other, 9, &mut old), Poll::Ready(4));
        assert!(flow.poll_reserve(cx, &mut place, 9, &mut old).is_pending());
    });

    flow.give_back(3);

    assert!(writer.is_woken());
    writer.enter(|cx, _| {
        let reserved = flow.poll_reserve(cx, &mut place, 9, &mut old);
        assert_eq!(reserved, Poll::Ready(3));
    });
    assert_eq!(place, None);
}

/// A side of a session, with what it says to the other.
async fn tell(from: Arc<FlowControl>, to: Arc<FlowControl>) {
    loop {
        let due = from.due().await;
        due.iter().for_each(|capsule| to.hear(capsule).unwrap());
        from.said(&due);
    }
}

/// Opens streams, and writes to each; some are given up before they are opened, and some of
/// what is reserved is given back.
async fn write(flow: Arc<FlowControl>, sent: mpsc::Sender<usize>, streams: usize) {
    let (mut place, mut old) = (None, None);
    for stream in 0..streams {
        if stream % 3 == 0 {
            drop(flow.open(Direction::Uni).await);
        }
        flow.open(Direction::Uni).await.opened();
        let want = 1 + stream % 5;
        let reserved = poll_fn(|cx| flow.poll_reserve(cx, &mut place, want, &mut old)).await;
        let unused = reserved - 1;
        flow.give_back(unused);
        sent.send(reserved - unused).await.unwrap();
    }
}

async fn read(flow: Arc<FlowControl>, mut received: mpsc::Receiver<usize>) -> usize {
    let (mut all, mut open) = (0, VecDeque::new());
    while let Some(bytes) = received.recv().await {
        open.push_back(flow.accept(Direction::Uni).unwrap());
        flow.read(bytes as u64).unwrap();
        all += bytes;
        // Each reader keeps one at the most.
        if open.len() == 2 || all % 2 == 0 {
            open.pop_front();
        }
    }
    all
}

/// However few may pass at a time, and whoever comes first on several threads, all pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_thread_waits_for_what_another_has_brought() {
    const WRITERS: usize = 4;
    const STREAMS: usize = 5_000;
    // More streams than readers keep.
    for (data, uni_streams) in [(1, 5), (3, 6), (64, 8), (4_000, 1_000)] {
        let credit = Credit {
            data,
            uni_streams,
            ..Credit::default()
        };
        let ours = FlowControl::new(Credit::default(), credit, Some(1));
        let theirs = FlowControl::new(credit, Credit::default(), Some(1));
        let mut talk = JoinSet::new();
        talk.spawn(tell(Arc::clone(&ours), Arc::clone(&theirs)));
        talk.spawn(tell(Arc::clone(&theirs), Arc::clone(&ours)));
        let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
        for _ in 0..WRITERS {
            let (sent, received) = mpsc::channel(1);
            writers.spawn(write(Arc::clone(&ours), sent, STREAMS));
            readers.spawn(read(Arc::clone(&theirs), received));
        }

        let all = timeout(Duration::from_secs(60), readers.join_all());
        let all = all.await.expect("nobody waits for ever");

        assert_eq!(all.into_iter().sum::<usize>(), WRITERS * STREAMS);
        writers.join_all().await;
    }
}
