//! The server of tower services: its settings, who is let in, and the task of each connection.

mod accepting;
mod asking;
mod peer;
mod report;
mod serving;
mod settings;
mod shutdown;

pub use peer::Peer;
pub use report::{Cut, ShutdownReport};
pub use settings::Server;
