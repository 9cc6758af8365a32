use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::BoxError;
use crate::servers::{Credentials, Order};

/// A server in a process of its own, killed with this handle.
#[derive(Debug)]
pub struct ServerProcess {
    program: PathBuf,
    credentials: Credentials,
    address: SocketAddr,
    running: Running,
}

#[derive(Debug)]
struct Running {
    process: Child,
    orders: ChildStdin,
}

impl ServerProcess {
    /// Starts `program serve ADDRESS`, and waits until it serves.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be started, or ends at once.
    pub async fn start(
        program: impl Into<PathBuf>,
        address: SocketAddr,
        credentials: Credentials,
    ) -> Result<Self, BoxError> {
        let program = program.into();
        let (running, address) = start(&program, address, &credentials).await?;
        Ok(Self {
            program,
            credentials,
            address,
            running,
        })
    }

    /// Tells it something, and does not wait until it has heard.
    ///
    /// # Errors
    ///
    /// Fails if the process has ended.
    pub async fn tell(&mut self, order: Order) -> io::Result<()> {
        let line = format!("{order}\n");
        self.running.orders.write_all(line.as_bytes()).await
    }

    /// Ends the process at once (`SIGKILL`), and waits until it is gone.
    ///
    /// # Errors
    ///
    /// Fails as the system does.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.running.process.kill().await
    }

    /// Stops the process where it is (`SIGSTOP`): its clients hear nothing any more.
    ///
    /// # Errors
    ///
    /// Fails if the process has ended, and on systems without signals.
    pub async fn freeze(&mut self) -> io::Result<()> {
        let id = self.running.process.id().ok_or(io::ErrorKind::NotFound)?;
        let id = id.to_string();
        let sent = Command::new("kill").args(["-STOP", &id]).status().await?;
        if sent.success() {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Has it finish what is open, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// Fails if the process has ended otherwise.
    pub async fn shut_down(&mut self) -> Result<(), BoxError> {
        self.tell(Order::ShutDown).await?;
        let status = self.running.process.wait().await?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| status.to_string().into())
    }

    /// Starts it again on the same address, and waits until it serves; what is left of the old
    /// process is killed.
    ///
    /// # Errors
    ///
    /// Fails as [`start`](Self::start) does.
    pub async fn start_again(&mut self) -> Result<(), BoxError> {
        if self.running.process.id().is_some() {
            self.kill().await?;
        }
        let (running, _) = start(&self.program, self.address, &self.credentials).await?;
        self.running = running;
        Ok(())
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn start(
    program: &Path,
    address: SocketAddr,
    credentials: &Credentials,
) -> Result<(Running, SocketAddr), BoxError> {
    let mut process = Command::new(program)
        .args(["serve", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(mut orders), Some(said)) = (process.stdin.take(), process.stdout.take()) else {
        return Err("a process without pipes".into());
    };
    orders.write_all(credentials.text().as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line).await?;
    let address = line.trim().parse();
    let address = address.map_err(|_| "the server did not start")?;
    Ok((Running { process, orders }, address))
}
