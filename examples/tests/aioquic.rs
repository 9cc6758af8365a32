//! Sessions with aioquic, which shares no code with quinn, as their server and as their client,
//! over the machine's own loopback.
#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

#[macro_use]
#[path = "aioquic/draft.rs"]
mod draft;

#[path = "aioquic/closing.rs"]
mod closing;
#[path = "aioquic/opening.rs"]
mod opening;
#[path = "interop/ours.rs"]
#[expect(dead_code, reason = "part of it is for the tests of `interop` alone")]
mod ours;
#[path = "aioquic/peer.rs"]
mod peer;
#[path = "aioquic/pings.rs"]
mod pings;
#[path = "python/process.rs"]
mod process;
#[path = "aioquic/sessions.rs"]
mod sessions;
#[path = "aioquic/streams.rs"]
mod streams;
