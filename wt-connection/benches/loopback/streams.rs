use crate::common::rounds::runtime;
use crate::common::streams;
use crate::common::tls::Tls;
use crate::pair::{Bare, Ours};
use crate::rounds::compare;

/// Streams there and back, in one session and in many.
pub(crate) fn measure() -> Vec<String> {
    let one = runtime().block_on(ratio("", 1, Ours::new));
    let uncontrolled = ratio(", no flow control", 1, Ours::uncontrolled);
    let uncontrolled = runtime().block_on(uncontrolled);
    let many = runtime().block_on(ratio(", 100 sessions", 100, Ours::new));
    vec![
        format!("ratio streams_per_s {one:.3}"),
        format!("ratio streams_per_s_without_flow_control {uncontrolled:.3}"),
        format!("ratio streams_per_s_100_sessions {many:.3}"),
    ]
}

async fn ratio(how: &str, sessions: usize, ours: fn(&Tls) -> Ours) -> f64 {
    let tls = Tls::new();
    let (ours, bare) = (ours(&tls), Bare::new(&tls));
    let (clients, servers) = ours.sessions(sessions).await;
    let (client, server) = bare.connection().await;
    streams::serve(servers);
    streams::serve(vec![server]);
    let quinn = vec![client];
    let what = format!("streams per second{how}");
    compare(
        &what,
        async || streams::run(&clients).await,
        async || streams::run(&quinn).await,
    )
    .await
}
