use wt_connection::{Connector, Target};
use wt_health::probe::Probes;

/// Connects: a handshake of QUIC and TLS, and SETTINGS that allow WebTransport.
///
/// It does not ask the server's application, and so lets a server back in whose application fails
/// all calls, which eject it again; where calls open sessions, probe by
/// [`session`](super::session()).
///
/// The connection is closed at once. The connector is not to be that of a pool, or the probe is a
/// call like others.
#[must_use]
pub fn handshake(connector: Connector) -> Probes<Target> {
    Probes::new(connector)
}
