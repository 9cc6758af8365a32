//! The five crates in one client, which loses no call while its servers are slow, fail, die, fall
//! silent, and are started again.
//!
//! ```sh
//! cargo run --release --example stack
//! ```
//!
//! The client is `examples/src/stack/sessions.rs`. Its servers are processes of this program, or
//! whatever echo servers are given as arguments; to those, nothing is done.

use std::env;
use std::process::ExitCode;

use axum::http::Request;
use examples::servers::{Credentials, ServerProcess};
use examples::stack::{Client, PATH, echo, stack};
use examples::{BoxError, causes, servers, trial};
use tower::ServiceExt;
use wt_connection::{Connector, Endpoint, Target, Trust};

const HELP: &str = "\
A client of several servers, through all that befalls them.

  stack                     starts four servers, and lets faults befall them, for 30 seconds
  stack [--hash HASH] URL…  calls these servers for as long; they are trusted by the hash of their
                            certificate or, without one, by the system's root certificates
";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // A server ends with the process that has started it.
    let serves = arguments.first() == Some(&"serve");
    let done = tokio::select! {
        done = run(&arguments) => done,
        _ = tokio::signal::ctrl_c(), if !serves => Err("interrupted".into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<ExitCode, BoxError> {
    match arguments {
        [] => own().await,
        ["serve", address] => {
            servers::serve(address.parse()?).await?;
            Ok(ExitCode::SUCCESS)
        }
        ["-h" | "--help"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ["--hash", hash, urls @ ..] if !urls.is_empty() => {
            others(Trust::hashes([hash.parse()?]), urls).await
        }
        urls if !urls.iter().any(|url| url.starts_with('-')) => {
            others(Trust::system()?, urls).await
        }
        _ => Err(format!("these arguments make no sense\n\n{HELP}").into()),
    }
}

/// Servers of this program's own, and faults.
async fn own() -> Result<ExitCode, BoxError> {
    let credentials = Credentials::generate()?;
    let mut servers = trial::fleet(4, &credentials).await?;
    let targets = servers.iter().map(|server| server.address().into());
    client(credentials.trust()?, targets.collect(), &mut servers).await
}

/// Servers of others.
async fn others(trust: Trust, urls: &[&str]) -> Result<ExitCode, BoxError> {
    let targets = urls.iter().map(|url| url.parse::<Target>());
    client(trust, targets.collect::<Result<_, _>>()?, &mut []).await
}

async fn client(
    trust: Trust,
    targets: Vec<Target>,
    servers: &mut [ServerProcess],
) -> Result<ExitCode, BoxError> {
    let endpoint = Endpoint::client(trust)?;
    let stack = stack(Connector::new(endpoint.clone()), targets.clone(), echo);
    let client = stack.client;
    let call = || call(client.clone());
    let summary = trial::run(targets, &stack.figures, servers, call).await?;
    endpoint.close(0, "").await;
    Ok(ExitCode::from(u8::from(summary.failed > 0)))
}

async fn call(client: impl Client<()>) -> Result<(), BoxError> {
    let request = Request::get(PATH).body(())?;
    client.oneshot(request).await
}
