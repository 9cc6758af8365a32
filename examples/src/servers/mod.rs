//! Echo servers as processes of their own: they can be killed, frozen, and told to misbehave.
//!
//! A program that has them calls [`serve`] when it is started with the arguments `serve ADDRESS`,
//! and has [`ServerProcess::start`] start it so.

mod credentials;
mod order;
mod process;
mod serve;

pub use credentials::Credentials;
pub use order::{NoOrder, Order};
pub use process::ServerProcess;
pub use serve::serve;
