//! Probes of WebTransport backends, for a [`Monitor`](wt_health::Monitor), from the least that can
//! be asked to the most.
//!
//! [`ping`] asks over a connection that calls use, [`handshake`] whether a new one can be had,
//! [`session`] whether sessions can, and [`datagram`] whether what is sent in one comes back.
//!
//! By default, calls eject a backend and probes let it back in. A probe that asks less than calls
//! do lets back in what calls will eject again: [`ping`] and [`handshake`] are for what only
//! connects, or for a monitor whose [`Combine`](wt_health::Combine) has both agree.

mod datagram;
mod handshake;
mod ping;
mod session;

pub use datagram::datagram;
pub use handshake::handshake;
pub use ping::ping;
pub use session::session;
