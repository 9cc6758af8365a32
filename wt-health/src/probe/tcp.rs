use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::{Instant, timeout};
use tower_service::Service;

use crate::probe::ConnectAll;

/// Connects over TCP, and hangs up: finds out whether somebody listens there.
///
/// It says nothing of a service over QUIC, which listens on UDP: use it where TCP is what calls
/// use, or where nothing else is to be had.
///
/// ```no_run
/// use wt_health::probe::TcpConnect;
///
/// # async fn example() -> Result<(), wt_health::probe::ConnectError> {
/// let took = TcpConnect::new().connect(("example.com", 443)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TcpConnect {
    timeout: Duration,
}

impl TcpConnect {
    /// With a timeout of 10 s.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets after how long an attempt has failed. Default: 10 s. As a probe of a monitor, it also
    /// has failed after [that one's](crate::probe::Probes::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects to the first address of `target` that can be reached; says how long that took.
    ///
    /// # Errors
    ///
    /// Fails after the timeout, with the last address's error, or if there is no address.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the attempt is given up.
    pub async fn connect<A: ToSocketAddrs>(self, target: A) -> Result<Duration, ConnectError> {
        let began = Instant::now();
        match timeout(self.timeout, TcpStream::connect(target)).await {
            Ok(Ok(_)) => Ok(began.elapsed()),
            Ok(Err(error)) => Err(ConnectError::Io(error)),
            Err(_) => Err(ConnectError::TimedOut),
        }
    }

    /// Connects to all of `targets`, ten at once; a stream of each target with its own result.
    pub fn connect_all<A, I>(self, targets: I) -> ConnectAll<A>
    where
        A: ToSocketAddrs + Clone + Send + Sync + 'static,
        I: IntoIterator<Item = A>,
        I::IntoIter: Send + 'static,
    {
        ConnectAll::new(self, targets)
    }
}

impl Default for TcpConnect {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
        }
    }
}

impl<A> Service<A> for TcpConnect
where
    A: ToSocketAddrs + Send + 'static,
{
    type Response = Duration;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Duration, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: A) -> Self::Future {
        Box::pin(self.connect(target))
    }
}

/// Why no connection over TCP was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answered in time.
    #[error("nobody answered in time")]
    TimedOut,
    /// The connection was refused, there is no way to the target, or its name is not known.
    #[error("could not connect")]
    Io(#[source] io::Error),
}
