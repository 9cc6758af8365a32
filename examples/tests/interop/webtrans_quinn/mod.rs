//! webtrans-quinn at the other end: the newest drafts. It has no headers and one session on a
//! connection, closes QUIC soon after the session, and maps stream codes.

mod closing;
mod opening;
mod peer;
#[path = "../streams.rs"]
mod streams;

pub(crate) use peer::client;
