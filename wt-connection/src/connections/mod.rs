//! The live connections of a process: the handle, what handles share, and its pure parts.

mod handle;
mod idle;
mod registry;
mod reservation;
mod stats;
mod table;
mod watch;

pub use handle::Connections;
pub use stats::ConnectionsStats;
