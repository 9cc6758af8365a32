use std::future::pending;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::connections::registry::Registry;

/// Closes those that are idle, until it is aborted or the last handle is gone.
pub(crate) async fn watch(registry: Weak<Registry>, changed: Arc<Notify>) {
    let mut looked = Instant::now();
    while let Some(next) = registry.upgrade().map(|shared| shared.next_look(looked)) {
        tokio::select! {
            () = changed.notified() => {}
            () = until(next) => {
                looked = Instant::now();
                let Some(registry) = registry.upgrade() else { return };
                registry.close_idle(looked);
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
