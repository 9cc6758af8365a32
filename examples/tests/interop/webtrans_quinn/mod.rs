//! webtrans-quinn at the other end: the newest drafts. It has no headers and one session on a
//! connection, closes QUIC soon after the session, and maps stream codes.

mod closing;
#[path = "../codes.rs"]
mod codes;
#[path = "../exchange.rs"]
mod exchange;
mod opening;
mod peer;
#[path = "../pings.rs"]
mod pings;

pub(crate) use peer::client;
