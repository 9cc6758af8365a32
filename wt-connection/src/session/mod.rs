//! One WebTransport session: its handle, what handle and task share, and the task.

mod core;
mod datagrams;
mod early;
mod exporter;
mod flow;
mod handle;
mod incoming;
mod live;
mod next;
mod outbox;
mod pause;
mod service;
mod state;
mod task;
mod unannounced;
mod waiters;

pub use early::EarlySession;
pub use exporter::KeyingMaterialError;
pub use handle::Session;
pub use service::CompleteOnClose;

pub(crate) use self::core::SessionCore;
pub(crate) use self::flow::{Accepted, FlowControl};
pub(crate) use self::handle::SessionHandle;
pub(crate) use self::incoming::IncomingStream;
pub(crate) use self::live::StreamKey;
pub(crate) use self::state::Ask;
pub(crate) use self::task::SessionTask;
