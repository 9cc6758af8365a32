//! One HTTP/3 connection: its handle, what handle and driver share, and the driver.

mod arrival;
mod cancelled;
mod closing;
mod control;
mod core;
mod demux;
mod driver;
mod goaway;
mod handle;
mod opening;
mod owner;
mod requests;
mod service;
mod stop;
mod weak;

pub use handle::Connection;
pub use service::Opening;

pub(crate) use self::core::{Core, Handle};
pub(crate) use self::driver::Driver;
pub(crate) use self::owner::Owner;
pub(crate) use self::requests::{Next, Queued};
pub(crate) use self::weak::WeakConnection;
