use std::env;
use std::net::SocketAddr;

use axum::Router;

use crate::BoxError;
use crate::servers::{self, Credentials};
use crate::stack::Stack;
use crate::trial::run::{fleet, run};

/// The whole of a program whose servers have `router` over TCP: one of them if it is started as one,
/// and otherwise the trial of a client.
///
/// # Errors
///
/// Fails if a call fails, or the trial itself.
pub async fn over_tcp<C, F, Fut>(
    router: Router,
    stack: impl FnOnce(Vec<SocketAddr>) -> Stack<C, SocketAddr>,
    call: F,
) -> Result<(), BoxError>
where
    C: Clone,
    F: Fn(C) -> Fut,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, address] = &arguments[..]
        && serve == "serve"
    {
        return servers::serve_tcp(address.parse()?, router).await;
    }
    let mut servers = fleet(4, &Credentials::generate()?).await?;
    let targets: Vec<_> = servers.iter().map(|server| server.address()).collect();
    let Stack { client, figures } = stack(targets.clone());
    let call = || call(client.clone());
    let summary = run(targets, &figures, &mut servers, call).await?;
    match summary.failed {
        0 => Ok(()),
        failed => Err(format!("{failed} calls failed").into()),
    }
}
