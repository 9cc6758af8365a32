//! Idle tracking by itself: its layer, its service, and what they share.

mod future;
mod handle;
mod in_flight;
mod layer;
mod service;
mod tracker;

pub use future::IdleFuture;
pub use handle::IdleHandle;
pub use in_flight::InFlight;
pub use layer::IdleLayer;
pub use service::Idle;
