//! Probes: active checks that a monitor sends, whoever calls the backend.
//!
//! A probe is a `Service<K>` or a closure that is given a backend's key; what it answers does not
//! matter, an error does. It goes round the gate of the [`HealthLayer`](crate::HealthLayer), since
//! it does not go through it: a connection of its own says more about a server, one that calls use,
//! too, more about that connection. Choose.
//!
//! There is no probe by default. [`TcpConnect`] knows that somebody listens on a port of TCP, and
//! nothing of a service over QUIC on the same port.

mod connect_all;
mod error;
mod initial;
mod settings;
mod standing;
mod tcp;

pub use connect_all::ConnectAll;
pub use error::ProbeError;
pub use initial::Initial;
pub use settings::Probes;
pub use tcp::{ConnectError, TcpConnect};

pub(crate) use settings::Rules;
pub(crate) use standing::{Standing, Turn};
