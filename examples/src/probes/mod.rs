//! Probes of WebTransport backends, for a [`Monitor`](wt_health::Monitor), from the least that can
//! be asked to the most.
//!
//! [`ping`] asks over a connection that calls use, [`handshake`] whether a new one can be had,
//! [`session`] whether sessions can, and [`datagram`] whether what is sent in one comes back.

mod datagram;
mod handshake;
mod ping;
mod session;

pub use datagram::datagram;
pub use handshake::handshake;
pub use ping::ping;
pub use session::session;
