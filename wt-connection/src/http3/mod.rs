//! Plain HTTP/3 beside the sessions: h3 over a transport that shows it requests alone.
//!
//! h3 never sees a stream of a session, a control stream of either side, or a stream of QPACK's:
//! SETTINGS, GOAWAY and the errors of a connection are this crate's. So what h3 makes of a request
//! cannot end the connection that carries the sessions.

mod body;
mod client;
mod exchange;
mod failure;
mod responder;
mod server;
mod streams;
mod transport;

pub use body::Body;

pub(crate) use client::Client;
pub(crate) use exchange::Exchanges;
pub(crate) use server::{Arrival, Server};
