//! Sessions of a real browser with our server, over the machine's own loopback.
#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

#[macro_use]
#[path = "browser/draft.rs"]
mod draft;

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/closing.rs"]
mod closing;
#[path = "browser/opening.rs"]
mod opening;
#[path = "browser/pings.rs"]
mod pings;
#[path = "browser/resets.rs"]
mod resets;
#[path = "browser/site.rs"]
mod site;
#[path = "browser/streams.rs"]
mod streams;
