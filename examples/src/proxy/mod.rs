//! A reverse proxy for sessions: an axum application that takes them in, opens one for each on one
//! of several servers, and [splices](crate::splice) the two.

mod client;
mod forward;
mod onward;
mod refusal;

pub use client::{CONNECTIONS, Client, client};
pub use forward::app;
