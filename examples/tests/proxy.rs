//! Sessions through the reverse proxy: a client, the proxy and its servers, each with sockets of
//! its own.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

#[path = "proxy/closing.rs"]
mod closing;
#[path = "proxy/codes.rs"]
mod codes;
#[cfg(unix)]
#[allow(
    dead_code,
    reason = "the examples as processes are shared with other tests"
)]
mod common;
#[path = "proxy/datagrams.rs"]
mod datagrams;
#[path = "proxy/dropped.rs"]
mod dropped;
#[cfg(unix)]
#[path = "proxy/example.rs"]
mod example;
#[path = "proxy/losses.rs"]
mod losses;
#[path = "proxy/opening.rs"]
mod opening;
#[path = "proxy/shutdown.rs"]
mod shutdown;
#[path = "proxy/streams.rs"]
mod streams;
#[path = "proxy/world.rs"]
mod world;
