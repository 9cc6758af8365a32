use std::io;

use crate::tls::TlsError;

/// Why no endpoint was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The UDP socket could not be bound: the address is in use, or not this machine's.
    #[error("the UDP socket could not be bound")]
    Bind(#[source] io::Error),
    /// The certificate, the key or the trust cannot be used.
    #[error("the TLS settings cannot be used")]
    Tls(#[from] TlsError),
}
