//! How backends are, at one moment.

mod backend;
mod fleet;
mod state;

pub use backend::BackendSnapshot;
pub use fleet::Snapshot;
pub use state::State;
