//! What is measured of a session, or of what is used like one. The bench `peers` of `examples`
//! measures others by the same.

pub(crate) mod bulk;
pub(crate) mod connects;
pub(crate) mod datagrams;
pub(crate) mod measures;
mod ours;
pub(crate) mod peer;
pub(crate) mod rounds;
pub(crate) mod streams;
pub(crate) mod tls;
