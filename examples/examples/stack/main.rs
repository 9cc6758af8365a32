//! The five crates in one client, which loses no call while its servers are slow, fail, die, fall
//! silent, and are started again.
//!
//! ```sh
//! cargo run --release --example stack
//! ```
//!
//! The client is `examples/src/stack.rs`. Its servers are processes of this program, or whatever
//! echo servers are given as arguments; to those, nothing is done.

mod faults;
mod load;
mod plot;
mod record;
mod report;
mod table;

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use examples::servers::{Credentials, ServerProcess};
use examples::stack::{echo, stack};
use examples::{BoxError, causes, servers};
use tokio::time::Instant;
use wt_connection::{Connector, Endpoint, Target, Trust};

use crate::record::Record;
use crate::table::Table;

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
    let mut servers = Vec::new();
    for _ in 0..4 {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let program = env::current_exe()?;
        servers.push(ServerProcess::start(program, address, credentials.clone()).await?);
    }
    let targets = servers.iter().map(|server| server.address().into());
    client(credentials.trust()?, targets.collect(), &mut servers).await
}

/// Servers of others.
async fn others(trust: Trust, urls: &[&str]) -> Result<ExitCode, BoxError> {
    let targets = urls.iter().map(|url| url.parse::<Target>());
    client(trust, targets.collect::<Result<_, _>>()?, &mut []).await
}

/// Calls for as long as the example lasts, shows how that goes, and says in the end how it went.
async fn client(
    trust: Trust,
    targets: Vec<Target>,
    servers: &mut [ServerProcess],
) -> Result<ExitCode, BoxError> {
    let endpoint = Endpoint::client(trust)?;
    let stack = stack(Connector::new(endpoint.clone()), targets.clone(), echo);
    let record = Record::new(Instant::now());
    let mut table = Table::new(targets.clone(), std::io::stdout().is_terminal());

    let calls = load::run(stack.client.clone(), record.clone());
    let faults = faults::run(servers, &record);
    let work = async { tokio::join!(calls, faults).1 };
    tokio::select! {
        done = work => done?,
        () = table.show(&stack, &record) => {}
    }

    let plot = plot_path()?;
    fs::write(&plot, plot::svg(&record.told()))?;
    print!("{}", report::text(&targets, &stack, &record.told()));
    println!("latencies: {}", plot.display());
    let summary = report::summary(&record.told(), (stack.retries)().retries);
    println!("{summary}");
    stack.pool.close();
    endpoint.close(0, "").await;
    Ok(ExitCode::from(u8::from(summary.failed > 0)))
}

/// Beside this program, which cargo has put into its own folder.
fn plot_path() -> Result<PathBuf, BoxError> {
    Ok(env::current_exe()?.with_file_name("stack.svg"))
}
