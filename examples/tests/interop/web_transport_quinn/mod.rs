//! web-transport-quinn at the other end: drafts 02 and 07. It has one session on a connection,
//! closes QUIC soon after the session, and maps stream codes.

mod closing;
mod opening;
mod peer;
#[path = "../streams.rs"]
mod streams;

pub(crate) use peer::{client, request};
