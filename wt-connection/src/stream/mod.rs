//! Streams of a session: quinn's, ended by their session, with the application's codes.

mod bi;
mod half;
mod lingering;
mod recv;
mod send;
mod sending;

pub use bi::BiStream;
pub(crate) use half::{Abort, Half, outlives};
pub(crate) use lingering::{Lingering, is_stopped};
pub(crate) use recv::Received;
pub use recv::RecvStream;
pub use send::SendStream;
pub(crate) use send::Sent;
pub(crate) use sending::Sending;
