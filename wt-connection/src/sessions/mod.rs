//! The sessions of one connection, open and not yet known.

mod arrivals;
mod early;
mod registry;
mod table;

pub(crate) use registry::{Delivery, Sessions};
