use std::fmt;
use std::net::SocketAddr;

use crate::connecting::{Early, Setup};
use crate::connection::handshake;
use crate::wire;
use crate::{Connecting, Endpoint, Target};

/// A connection that a client has begun, and that nothing has been done for yet.
///
/// Awaited, it is accepted; dropped, it is refused.
///
/// ```no_run
/// # async fn example(endpoint: wt_connection::Endpoint) {
/// while let Some(incoming) = endpoint.accept().await {
///     tokio::spawn(async move {
///         let connection = incoming.await?;
///         while let Ok(request) = connection.accept().await {
///             let session = request.accept().await?;
///         }
///         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
///     });
/// }
/// # }
/// ```
#[must_use = "dropping an incoming connection refuses it"]
pub struct Incoming {
    quinn: quinn::Incoming,
    endpoint: Endpoint,
}

impl Incoming {
    pub(crate) fn new(quinn: quinn::Incoming, endpoint: Endpoint) -> Self {
        Self { quinn, endpoint }
    }

    /// Accepts the connection; the handshake and the client's SETTINGS may take
    /// [`Limits::header_timeout`](crate::Limits::header_timeout).
    pub fn accept(self) -> Connecting {
        self.accept_for(false)
    }

    /// Accepts the connection for somebody who answers all requests.
    pub(crate) fn accept_to_serve(self) -> Connecting {
        self.accept_for(true)
    }

    fn accept_for(self, serves_http: bool) -> Connecting {
        let Self { quinn, endpoint } = self;
        let limits = endpoint.limits();
        Connecting::new(limits.header_timeout, |attempt| async move {
            let remote = quinn.remote_address();
            let connecting = match endpoint.server_config() {
                Some(config) => quinn.accept_with(config),
                None => quinn.accept(),
            };
            let (quinn, handshake) = if endpoint.accepts_anybody() {
                // SETTINGS leave with this side's first flight; but not before the client's limits
                // are known, or it would not be noticed that a stream may be opened.
                let mut connecting = connecting?;
                connecting.handshake_data().await?;
                handshake::before(connecting).await?
            } else {
                (connecting?.await?, None)
            };
            let authority = Target::from(wire::canonical(remote)).authority().clone();
            let setup = Setup {
                owner: endpoint.owner().clone(),
                limits,
                timing: endpoint.timing(),
                local_address: endpoint.address_seen_by(quinn.local_ip()),
                authority,
                serves_http,
                early: Early {
                    handshake,
                    resumption: None,
                    takes: endpoint.takes_early_data(),
                },
            };
            setup.establish(quinn, attempt).await
        })
    }

    /// Refuses the connection; the client learns it at once.
    pub fn refuse(self) {
        self.quinn.refuse();
    }

    /// Forgets the connection without an answer; the client learns it by its timeout.
    pub fn ignore(self) {
        self.quinn.ignore();
    }

    /// Makes the client prove that it is at its address, which costs it a round trip: it comes back
    /// as another `Incoming`, with its address validated.
    ///
    /// # Errors
    ///
    /// Gives the connection back if the client has proved its address already.
    #[expect(
        clippy::result_large_err,
        reason = "it is the connection itself, and rare"
    )]
    pub fn validate_address(self) -> Result<(), Self> {
        let Self { quinn, endpoint } = self;
        quinn.retry().map_err(|error| Self {
            quinn: error.into_incoming(),
            endpoint,
        })
    }

    /// Says whether the client has proved that it is at its address.
    #[must_use]
    pub fn is_address_validated(&self) -> bool {
        self.quinn.remote_address_validated()
    }

    /// The client's address; not proved, unless
    /// [`is_address_validated`](Self::is_address_validated).
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        wire::canonical(self.quinn.remote_address())
    }
}

impl IntoFuture for Incoming {
    type Output = <Connecting as Future>::Output;
    type IntoFuture = Connecting;

    fn into_future(self) -> Connecting {
        self.accept()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("remote_address", &self.remote_address())
            .field("is_address_validated", &self.is_address_validated())
            .finish_non_exhaustive()
    }
}
