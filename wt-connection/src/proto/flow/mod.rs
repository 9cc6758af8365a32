//! Flow control of a session: how many bytes and streams each side may still send and open
//! ([draft 16, §5](https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-5)).
//!
//! A session has six of these counts: one for bytes and one for each kind of streams, in both
//! directions. All are running totals over the life of the session, so that a limit says how much
//! may be sent ever, not how much more.
//!
//! ```text
//! sender: Outgoing                                     receiver: Incoming
//! reserve ──► so many bytes, or a stream ────────────► receive
//! raise   ◄── MAX_DATA, MAX_STREAMS ◄── announce ◄──── release, forgive
//! blocked ──► DATA_BLOCKED, STREAMS_BLOCKED ─────────► (nothing waits for those)
//! ```
//!
//! Nothing here waits, wakes or knows the time: what is to be done is a value that the caller acts
//! upon.
mod incoming;
#[cfg(test)]
mod model;
mod outgoing;
mod violation;

pub use incoming::Incoming;
pub use outgoing::Outgoing;
pub use violation::{Exceeded, Lowered};
