//! Streams of a session: quinn's, ended by their session, with the application's codes.

mod bi;
mod half;
mod lingering;
mod received;
mod recv;
mod send;
mod sending;
mod shared;

pub use bi::BiStream;
pub(crate) use half::{Abort, outlives};
pub(crate) use lingering::{Lingering, is_stopped};
pub(crate) use received::Received;
pub use recv::RecvStream;
pub use send::SendStream;
pub(crate) use sending::Sending;
pub(crate) use shared::Shared;
