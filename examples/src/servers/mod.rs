//! Echo servers as processes of their own: they can be killed, frozen, and told to misbehave.
//!
//! A program that has them calls [`serve`], or [`serve_tcp`] for other protocols, when it is started
//! with the arguments `serve ADDRESS`, and has [`ServerProcess::start`] start it so.

mod credentials;
mod order;
mod orders;
mod process;
mod serve;
mod serve_tcp;

pub use credentials::Credentials;
pub use order::{NoOrder, Order};
pub use process::ServerProcess;
pub use serve::serve;
pub use serve_tcp::serve_tcp;
