//! Sessions with pywebtransport 0.7.1, as their server and as their client, over the machine's own
//! loopback.
#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

#[path = "pywebtransport/closing.rs"]
mod closing;
#[path = "pywebtransport/credentials.rs"]
mod credentials;
#[path = "interop/ours.rs"]
#[expect(dead_code, reason = "part of it is for other tests")]
mod ours;
#[path = "pywebtransport/peer.rs"]
mod peer;
#[path = "python/process.rs"]
#[expect(dead_code, reason = "no client of these tests ends by itself")]
mod process;
#[path = "pywebtransport/sessions.rs"]
mod sessions;
