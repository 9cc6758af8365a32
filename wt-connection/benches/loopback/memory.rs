use std::sync::Arc;

use tokio::runtime::Builder;

use crate::common::rounds::median;
use crate::common::tls::Tls;
use crate::pair::{Bare, Ours};

/// What stays allocated for 1,000 idle connections, both ends, each with a session on our side.
pub(crate) fn measure() -> Vec<String> {
    println!("\nKiB per connection, both ends\n\n| round | ours | quinn | ratio |");
    println!("| --- | --- | --- | --- |");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let (ours, bare) = if round % 2 == 0 {
            let ours = kib(ours);
            (ours, kib(bare))
        } else {
            let bare = kib(bare);
            (kib(ours), bare)
        };
        println!("| {round} | {ours:.1} | {bare:.1} | {:.3} |", ours / bare);
        ratios.push(ours / bare);
    }
    vec![format!("ratio kib_per_connection {:.3}", median(ratios))]
}

/// What `make` leaves behind, counted on the one thread that everything runs on.
fn kib<F: Future<Output = K>, K>(make: impl Fn(Arc<Tls>) -> F) -> f64 {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let tls = Arc::new(Tls::new());
    let mut kept = None;
    let allocated = allocation_counter::measure(|| {
        kept = Some(runtime.block_on(make(tls)));
    });
    drop(kept);
    allocated.bytes_current as f64 / 1024.0 / CONNECTIONS as f64
}

async fn ours(tls: Arc<Tls>) -> (Ours, Vec<(impl Sized, impl Sized)>) {
    let ours = Ours::new(&tls);
    let mut kept = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, server) = ours.sessions(1).await;
        kept.push((client, server));
    }
    settle().await;
    (ours, kept)
}

async fn bare(tls: Arc<Tls>) -> (Bare, Vec<(quinn::Connection, quinn::Connection)>) {
    let bare = Bare::new(&tls);
    let mut kept = Vec::new();
    for _ in 0..CONNECTIONS {
        kept.push(bare.connection().await);
    }
    settle().await;
    (bare, kept)
}

/// Lets what is left of the handshakes go.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
}

const CONNECTIONS: usize = 1000;
const ROUNDS: usize = 7;
