//! The live connections of a process: the handle, what handles share, and its pure parts.

mod handle;
mod registry;
mod reservation;
mod stats;
mod table;

pub use handle::Connections;
pub use stats::ConnectionsStats;
