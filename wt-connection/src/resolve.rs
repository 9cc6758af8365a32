use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::{fmt, io};

/// Turns a host's name into addresses; implemented by every
/// `Fn(String, u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>`.
///
/// Kept as a trait only so that the connector can hold one without a type parameter.
pub(crate) trait Resolve: Send + Sync {
    fn resolve(&self, host: String, port: u16) -> Resolving;
}

pub(crate) type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

impl<R, F> Resolve for R
where
    R: Fn(String, u16) -> F + Send + Sync,
    F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
{
    fn resolve(&self, host: String, port: u16) -> Resolving {
        Box::pin(self(host, port))
    }
}

/// The resolver in use: the system's, or the user's.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<dyn Resolve>);

impl Resolver {
    pub(crate) fn new(resolve: impl Resolve + 'static) -> Self {
        Self(Arc::new(resolve))
    }

    pub(crate) fn resolve(&self, host: &str, port: u16) -> Resolving {
        self.0.resolve(host.to_owned(), port)
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|host: String, port| async move {
            let addresses = tokio::net::lookup_host((host.as_str(), port)).await?;
            Ok(addresses.collect())
        })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}
