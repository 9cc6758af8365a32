//! The sessions of one connection, open and not yet known.

mod arrivals;
mod batch;
mod early;
mod registry;
mod table;

pub(crate) use batch::Batch;
pub(crate) use registry::Sessions;
