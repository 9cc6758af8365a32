//! wtransport at the other end: drafts 02 and 07. It has one session on a connection, closes QUIC
//! with it, without a capsule, and sends stream codes as they are.

mod closing;
mod codes;
#[path = "../exchange.rs"]
mod exchange;
mod opening;
mod peer;

pub(crate) use peer::client;
