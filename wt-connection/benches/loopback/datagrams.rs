use crate::common::datagrams::{self, Count};
use crate::common::rounds::runtime;
use crate::common::tls::Tls;
use crate::pair::{Bare, Ours};
use crate::rounds::compare;

/// Datagrams one way, in one session and in many.
pub(crate) fn measure() -> Vec<String> {
    let one = runtime().block_on(ratio(1));
    let many = runtime().block_on(ratio(100));
    vec![
        format!("ratio datagrams_per_s {one:.3}"),
        format!("ratio datagrams_per_s_100_sessions {many:.3}"),
    ]
}

async fn ratio(sessions: usize) -> f64 {
    let tls = Tls::new();
    let (ours, bare) = (Ours::new(&tls), Bare::new(&tls));
    let (clients, servers) = ours.sessions(sessions).await;
    let (client, server) = bare.connection().await;
    let (ours, bare) = (Count::of(servers), Count::of(vec![server]));
    let quinn = vec![client];
    let what = format!("datagrams per second, {sessions} sessions");
    compare(
        &what,
        async || datagrams::run(&clients, &ours).await,
        async || datagrams::run(&quinn, &bare).await,
    )
    .await
}
