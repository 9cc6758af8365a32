//! Spreads requests over many backends: a tower layer.

mod answering;
mod backend;
mod backends;
mod census;
mod classify;
mod clock;
mod common;
#[cfg(feature = "dns")]
mod dns;
mod driver;
mod error;
mod exclusive;
mod future;
mod gauge;
mod hash;
mod in_flight;
mod layer;
mod level;
mod lock;
mod members;
mod mend;
mod peak_ewma;
mod policy;
mod search;
mod service;
mod settings;
mod snapshot;
mod stats;
mod targets;
mod tell;
mod view;

use std::sync::atomic;

pub use classify::{ByError, Classify, Outcome};
#[cfg(feature = "dns")]
pub use dns::{Addresses, Dns};
pub use error::{NoTargets, Unavailable};
pub use exclusive::Exclusive;
pub use future::ResponseFuture;
pub use in_flight::InFlight;
pub use layer::BalanceLayer;
pub use policy::{
    Adaptive, LeastLatency, LeastRequests, Pick, PickFirst, Policy, Random, Ring, RoundRobin,
    Weighted,
};
pub use service::Balance;
pub use snapshot::{BackendSnapshot, Snapshot};
pub use targets::Targets;
#[cfg(feature = "http")]
pub use tell::{AnsweredBy, InExtensions};
pub use tell::{Tell, Untold};
pub use view::View;
