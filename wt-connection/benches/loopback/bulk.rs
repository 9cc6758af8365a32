use crate::common::bulk;
use crate::common::rounds::runtime;
use crate::common::tls::Tls;
use crate::pair::{Bare, Ours};
use crate::rounds::compare;

/// Bytes on one stream, of one session and of a hundred.
pub(crate) fn measure() -> Vec<String> {
    let one = runtime().block_on(ratio("", 1, Ours::new));
    let uncontrolled = ratio(", no flow control", 1, Ours::uncontrolled);
    let uncontrolled = runtime().block_on(uncontrolled);
    let many = runtime().block_on(ratio(", 100 sessions", 100, Ours::new));
    vec![
        format!("ratio bulk_bytes_per_s {one:.3}"),
        format!("ratio bulk_bytes_per_s_without_flow_control {uncontrolled:.3}"),
        format!("ratio bulk_bytes_per_s_100_sessions {many:.3}"),
    ]
}

/// Of so many sessions, one sends.
async fn ratio(how: &str, sessions: usize, ours: fn(&Tls) -> Ours) -> f64 {
    let tls = Tls::new();
    let (ours, bare) = (ours(&tls), Bare::new(&tls));
    let (clients, servers) = ours.sessions(sessions).await;
    let (client, server) = bare.connection().await;
    compare(
        &format!("bytes per second, one stream{how}"),
        async || bulk::run(&clients[0], &servers[0]).await,
        async || bulk::run(&client, &server).await,
    )
    .await
}
