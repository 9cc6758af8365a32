//! All crates in one client, whose servers and whose path do all that can be feared.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

#[path = "stack/cancels.rs"]
mod cancels;
#[expect(
    dead_code,
    reason = "the examples as processes are shared with other tests"
)]
mod common;
#[path = "stack/crowd.rs"]
mod crowd;
#[path = "stack/fleet.rs"]
mod fleet;
#[path = "stack/load.rs"]
mod load;
#[path = "stack/local.rs"]
mod local;
#[path = "stack/losses.rs"]
mod losses;
#[path = "stack/outage.rs"]
mod outage;
#[path = "stack/path.rs"]
mod path;
#[path = "stack/probed.rs"]
mod probed;
#[path = "stack/relay.rs"]
mod relay;
#[path = "stack/restarts.rs"]
mod restarts;
#[path = "stack/shown.rs"]
mod shown;
#[path = "stack/subsets.rs"]
mod subsets;
