//! The one task of a registry of connections, and when it ends.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{until, within};
use common::path::Silent;
use common::{connected, session};
use tokio::runtime::{Builder, Runtime};
use wt_connection::{Connection, Connections, Limits};

#[tokio::test]
async fn one_task_watches_until_nobody_is_left() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        let apart = Apart::new();

        apart.add(&registry, &pair.client).await;
        apart.add(&registry, &pair.server).await;
        until(|| apart.tasks() == 1).await;
        registry.remove(pair.client.id());
        registry.remove(pair.server.id());
        until(|| apart.tasks() == 0).await;

        apart.add(&registry, &pair.client).await;
        until(|| apart.tasks() == 1).await;
        pair.client.close(0, "").await;
        until(|| apart.tasks() == 0).await;
    })
    .await;
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle_of_the_registry() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        let apart = Apart::new();
        apart.add(&registry, &pair.client).await;
        until(|| apart.tasks() == 1).await;

        drop((registry.clone(), registry));

        until(|| apart.tasks() == 0).await;
        session(&pair.client, &pair.server).await;
    })
    .await;
}

#[tokio::test]
async fn the_task_ends_with_the_shutdown() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        let _session = session(&silent.client, &silent.server).await;
        let registry = Connections::new();
        let apart = Apart::new();
        apart.add(&registry, &silent.client).await;
        until(|| apart.tasks() == 1).await;
        silent.path.swallow();

        drop(registry.shutdown(0, ""));

        until(|| apart.tasks() == 0).await;
        assert_eq!(registry.len(), 1, "it does not wait for the connections");
    })
    .await;
}

/// A runtime for the task of a registry alone: those of connections come and go.
struct Apart(Option<Runtime>);

impl Apart {
    fn new() -> Self {
        let mut builder = Builder::new_multi_thread();
        Self(builder.worker_threads(1).enable_time().build().ok())
    }

    async fn add(&self, registry: &Connections, connection: &Connection) {
        let runtime = self.0.as_ref().unwrap();
        let entered = runtime.enter();
        registry.add(connection).unwrap();
        drop(entered);
        // Queued behind the registry's task, which has begun once this is done.
        runtime.spawn(async {}).await.unwrap();
    }

    fn tasks(&self) -> usize {
        self.0.as_ref().unwrap().metrics().num_alive_tasks()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It may not be waited for where others run.
        self.0.take().unwrap().shutdown_background();
    }
}
