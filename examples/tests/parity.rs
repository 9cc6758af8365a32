//! What the package that these crates replace has promised, item by item, and what is more than
//! that; over the machine's own loopback.
//!
//! Here is what takes several crates, or real sockets below one that has none. What a crate's own
//! tests show in full is in the table of `MIGRATION.md`, which is itself tested here.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

#[path = "parity/parity.rs"]
mod parity;
#[path = "parity/storm.rs"]
mod storm;
#[path = "parity/surpass.rs"]
mod surpass;
#[path = "parity/table.rs"]
mod table;
#[path = "parity/world.rs"]
mod world;
