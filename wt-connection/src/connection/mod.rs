//! One HTTP/3 connection: its handle, what handle and driver share, and the driver.

mod alive;
mod answers;
mod arrival;
mod cancelled;
mod closing;
mod control;
mod core;
mod demux;
mod driver;
mod goaway;
mod handle;
pub(crate) mod handshake;
mod left_behind;
mod opening;
mod owner;
mod peer;
mod requests;
mod resumption;
mod service;
mod stop;
mod sweeps;
mod weak;

pub use handle::Connection;
pub use service::Opening;

pub(crate) use self::alive::Handle;
pub(crate) use self::core::Core;
pub(crate) use self::driver::Driver;
pub(crate) use self::left_behind::LeftBehind;
pub(crate) use self::owner::Owner;
pub(crate) use self::requests::{Next, Queued};
pub(crate) use self::resumption::{Memory, Resumption};
pub(crate) use self::weak::WeakConnection;
