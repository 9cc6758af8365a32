use std::sync::Arc;

use tokio::task::JoinSet;

use crate::common::connects::{CONNECTS, at_once, sessions};
use crate::common::rounds::runtime;
use crate::common::tls::Tls;
use crate::pair::{Bare, Ours};
use crate::rounds::compare;

/// New connections with a session each, and sessions on a live connection, against quinn's
/// handshakes; 16 at a time.
pub(crate) fn measure() -> Vec<String> {
    let (new, warm) = runtime().block_on(async {
        let tls = Tls::new();
        let (ours, bare) = (Arc::new(Ours::new(&tls)), Arc::new(Bare::new(&tls)));
        serve(&ours);
        serve_bare(&bare);
        let new = compare(
            "connections per second, with a session each",
            async || connects(&ours).await,
            async || handshakes(&bare).await,
        )
        .await;
        let connection = ours.connect().await;
        let warm = compare(
            "sessions per second on a live connection, against handshakes",
            async || sessions(&connection).await,
            async || handshakes(&bare).await,
        )
        .await;
        (new, warm)
    });
    vec![
        format!("ratio connects_per_s {new:.3}"),
        format!("ratio warm_sessions_per_s {warm:.2}"),
    ]
}

fn serve(ours: &Ours) {
    let server = ours.server.clone();
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            tokio::spawn(async move {
                let connection = incoming.await.unwrap();
                while let Ok(request) = connection.accept().await {
                    tokio::spawn(async move {
                        let session = request.accept().await.unwrap();
                        session.closed().await;
                    });
                }
            });
        }
    });
}

fn serve_bare(bare: &Bare) {
    let server = bare.server.clone();
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            tokio::spawn(async move {
                let connection = incoming.await.unwrap();
                connection.closed().await;
            });
        }
    });
}

async fn connects(ours: &Arc<Ours>) -> f64 {
    let ours = Arc::clone(ours);
    let (rate, made) = at_once(CONNECTS, move || {
        let ours = Arc::clone(&ours);
        async move {
            let connection = ours.connect().await;
            let session = connection.open("/").await.unwrap();
            (connection, session)
        }
    })
    .await;
    let mut closing = JoinSet::new();
    for (connection, _session) in made {
        closing.spawn(connection.close(0, ""));
    }
    closing.join_all().await;
    rate
}

async fn handshakes(bare: &Arc<Bare>) -> f64 {
    let client = Arc::clone(bare);
    let (rate, made) = at_once(CONNECTS, move || {
        let client = Arc::clone(&client);
        async move { client.connect().await }
    })
    .await;
    for connection in &made {
        connection.close(0_u32.into(), b"");
    }
    drop(made);
    bare.client.wait_idle().await;
    rate
}
