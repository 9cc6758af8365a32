//! How long a call may take in all.

mod error;
mod future;
mod layer;
mod service;

pub use error::DeadlineExceeded;
pub use future::DeadlineFuture;
pub use layer::DeadlineLayer;
pub use service::Deadline;
