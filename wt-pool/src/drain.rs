use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::home::Home;

/// Waits until all of these are empty, at most for so long; gives the number of connections that
/// are still open.
pub(crate) async fn emptied<C>(homes: Vec<Arc<Home<C>>>, deadline: Duration) -> usize {
    let all = async {
        for home in &homes {
            emptied_one(home).await;
        }
    };
    match Instant::now().checked_add(deadline) {
        Some(end) => drop(timeout_at(end, all).await),
        None => all.await,
    }
    homes.iter().map(|home| home.stock.lock().left()).sum()
}

async fn emptied_one<C>(home: &Home<C>) {
    loop {
        let mut changed = pin!(home.changed.notified());
        changed.as_mut().enable();
        if home.stock.lock().is_empty() {
            return;
        }
        changed.await;
    }
}
