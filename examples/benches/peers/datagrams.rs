use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::peer::{Peer, Stack};
use crate::rounds::{Stacks, compare, runtime};

/// Sends datagrams of 1,100 bytes one way, and counts those that arrive.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let stacks = Stacks::new();
        let ours = counted(&stacks.ours).await;
        let wtransport = counted(&stacks.wtransport).await;
        let web_transport_quinn = counted(&stacks.web_transport_quinn).await;
        compare(
            "datagrams per second",
            "datagrams_per_s",
            async || spawned(&ours).await,
            async || spawned(&wtransport).await,
            async || spawned(&web_transport_quinn).await,
        )
        .await
    })
}

/// How many datagrams have arrived.
#[derive(Default)]
struct Count {
    arrived: AtomicUsize,
    progress: Notify,
}

impl Count {
    fn get(&self) -> usize {
        self.arrived.load(Ordering::Relaxed)
    }
}

/// A client, and what its server has counted.
async fn counted<S: Stack>(stack: &S) -> (S::Peer, Arc<Count>) {
    let (client, server) = stack.session().await;
    let count = Arc::<Count>::default();
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(length) = server.read_datagram().await {
            assert_eq!(length, SIZE);
            let arrived = counting.arrived.fetch_add(1, Ordering::Relaxed) + 1;
            if arrived % STEP == 0 {
                counting.progress.notify_one();
            }
        }
    });
    (client, count)
}

async fn spawned<P: Peer>((peer, count): &(P, Arc<Count>)) -> f64 {
    let running = tokio::spawn(run(peer.clone(), Arc::clone(count)));
    running.await.unwrap()
}

/// Keeps a window of datagrams under way, so that none is lost for want of room.
async fn run<P: Peer>(peer: P, count: Arc<Count>) -> f64 {
    let payload = Bytes::from(vec![7; SIZE]);
    let first = count.get();
    let began = Instant::now();
    let mut lost = 0;
    for sent in 0..DATAGRAMS {
        while sent - lost - (count.get() - first) >= WINDOW {
            if timeout(PATIENCE, count.progress.notified()).await.is_err() {
                lost = sent - (count.get() - first);
            }
        }
        peer.send_datagram(&payload);
    }
    while count.get() - first < DATAGRAMS - lost {
        if timeout(PATIENCE, count.progress.notified()).await.is_err() {
            break;
        }
    }
    let took = began.elapsed();
    let arrived = count.get() - first;
    assert!(
        arrived * 100 >= DATAGRAMS * 95,
        "only {arrived} of {DATAGRAMS} datagrams arrived"
    );
    arrived as f64 / took.as_secs_f64()
}

const SIZE: usize = 1100;
const DATAGRAMS: usize = 120_000;
/// How many may be under way: less than the sockets hold.
const WINDOW: usize = 64;
/// How many arrive until the sender looks again.
const STEP: usize = 8;
/// What has not arrived by then is lost.
const PATIENCE: Duration = Duration::from_millis(50);
