//! Sends back whatever comes, and checks what comes back.

mod client;
mod server;

pub use client::{bi, datagram, uni};
pub use server::serve;
