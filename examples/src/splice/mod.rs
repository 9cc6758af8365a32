//! Joins two sessions, so that what comes on one goes out on the other: the inside of a proxy.
//!
//! ```text
//!   client ── streams ──► one task for each, a chunk at a time ──► streams ── backend
//!          ◄─ of both  ──                                      ◄── of both ──
//!          ── datagrams, drain, close ───────────────────────────────────────►
//!          ◄──────────────────────────────────────────────────────────────────
//! ```

mod both;
mod copy;
mod datagrams;
mod end;
mod onward;
mod streams;

pub use both::splice;
pub use end::LOST;
