//! Takes a failing backend out of rotation, and lets it back in: a tower layer.

mod builder;
mod call;
mod cell;
mod classify;
mod clock;
mod combine;
mod core;
mod discover;
mod driver;
mod entry;
pub mod event;
mod fleet;
mod force;
mod future;
mod gate;
mod handle;
mod judge;
mod keys;
mod layer;
mod lock;
mod monitor;
pub mod outlier;
pub mod probe;
mod proof;
mod seat;
mod service;
pub mod snapshot;
mod tally;
mod teller;
mod waiters;
mod watch;

use std::sync::atomic;

pub use builder::MonitorBuilder;
pub use classify::{Classify, ErrIsFailure, Outcome};
pub use combine::Combine;
pub use discover::HealthDiscover;
pub use force::Override;
pub use future::ResponseFuture;
pub use layer::HealthLayer;
pub use monitor::Monitor;
pub use service::Health;
pub use watch::{Ended, Watch};
