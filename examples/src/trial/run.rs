use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::{env, fs};

use tokio::time::Instant;

use crate::BoxError;
use crate::servers::{Credentials, ServerProcess};
use crate::stack::Figures;
use crate::trial::record::Record;
use crate::trial::report::{self, Summary};
use crate::trial::table::{Key, Table};
use crate::trial::{faults, load, plot};

/// Starts so many servers, each a process of this program's.
///
/// # Errors
///
/// Fails if the program cannot be started, or ends at once.
pub async fn fleet(
    servers: usize,
    credentials: &Credentials,
) -> Result<Vec<ServerProcess>, BoxError> {
    let program = env::current_exe()?;
    let mut started = Vec::new();
    for _ in 0..servers {
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let server = ServerProcess::start(program.clone(), anywhere, credentials.clone());
        started.push(server.await?);
    }
    Ok(started)
}

/// Makes calls for half a minute, while faults befall the servers; shows how that goes, and prints
/// in the end how it went.
///
/// # Errors
///
/// Fails if a fault cannot befall its server, or the latencies cannot be written.
pub async fn run<T, F, Fut>(
    targets: Vec<T>,
    figures: &Figures<T>,
    servers: &mut [ServerProcess],
    call: F,
) -> Result<Summary, BoxError>
where
    T: Key,
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let record = Record::new(Instant::now());
    let mut table = Table::new(targets.clone(), std::io::stdout().is_terminal());
    let calls = load::run(call, record.clone());
    let faults = faults::run(servers, &record);
    let work = async { tokio::join!(calls, faults).1 };
    tokio::select! {
        done = work => done?,
        () = table.show(figures, &record) => {}
    }

    let told = record.told();
    // Beside this program, which cargo has put into its own folder.
    let plot = env::current_exe()?.with_extension("svg");
    fs::write(&plot, plot::svg(&told))?;
    print!("{}", report::text(&targets, figures, &told));
    println!("latencies: {}", plot.display());
    let summary = Summary::of(&told, figures.retries().retries);
    println!("{summary}");
    Ok(summary)
}
