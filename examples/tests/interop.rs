//! Sessions with other implementations of WebTransport, as their server and as their client, over
//! the machine's own loopback.
#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]
#![expect(clippy::duplicate_mod, reason = "one text tests several crates")]

#[path = "interop/certificate.rs"]
mod certificate;
#[path = "interop/end.rs"]
mod end;
#[path = "interop/ours.rs"]
mod ours;
#[path = "interop/together.rs"]
mod together;
#[path = "interop/web_transport_quinn/mod.rs"]
mod web_transport_quinn;
#[path = "interop/webtrans_quinn/mod.rs"]
mod webtrans_quinn;
#[path = "interop/wtransport/mod.rs"]
mod wtransport;
