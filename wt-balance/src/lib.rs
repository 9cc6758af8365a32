//! Spreads requests over many backends: a tower layer.
//!
//! For clients of any tower service that has several replicas: connections of a pool, hyper
//! clients, tonic channels, WebTransport sessions. Not for choosing among services that do
//! different things (tower's `Steer` does that), nor for taking a failing backend out of rotation
//! for good measure: a layer below does, which is `Pending` meanwhile. Here, backends that fail get
//! less, as far as each client sees it.
//!
//! ```text
//!  discovery: a list, a stream of changes, a name
//!      │ published as a whole
//!      ▼
//!  backends ── gone? subset? weight? ── priorities ── policy: one of those that are usable
//!      ▲                                                  │
//!      │ latency, failures, in flight                     ▼ busy: another, or wait with patience
//!      └───────────── the outcome, by a classifier ── the backend's service
//! ```
//!
//! ```
//! use std::convert::Infallible;
//!
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use wt_balance::BalanceLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! // How a target becomes a service; `|target| pool.service(target)`, say.
//! let backend = |target: &'static str| {
//!     service_fn(move |n: u32| async move { Ok::<_, Infallible>(format!("{n} by {target}")) })
//! };
//! let layer = BalanceLayer::new(["one", "two"]);
//! let mut balance = layer.layer(backend);
//!
//! let answer = balance.ready().await?.call(1).await?;
//! assert!(answer == "1 by one" || answer == "1 by two");
//!
//! layer.targets().remove(&"one");
//! assert_eq!(balance.ready().await?.call(2).await?, "2 by two");
//! assert_eq!(balance.snapshot().known, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Policies
//!
//! | policy | picks | for |
//! | --- | --- | --- |
//! | [`Adaptive`], the default | the least latency, times the calls under way plus one | most |
//! | [`LeastRequests`] | the fewest calls under way | sessions, streams |
//! | [`RoundRobin`] | one after the other | backends and calls that are all alike |
//! | [`Weighted`] | in proportion to weights, evenly | a share for each |
//! | [`LeastLatency`] | the least latency | backends that no load makes slower |
//! | [`Ring`] | the same for the same key | caches, affinity |
//! | [`PickFirst`] | the first that works | a main server and its replacements |
//! | [`Random`] | any | many clients that know nothing |
//!
//! Another is a few lines: [`Policy`]. [`Balance::policy`] puts a policy over the same backends and
//! their figures, for some calls or for all.
//!
//! # Where backends come from
//!
//! - A list, [`BalanceLayer::new`], which can be changed: [`BalanceLayer::targets`].
//! - A stream of tower's [`Change`](tower::discover::Change): [`Balance::new`], or
//!   [`BalanceLayer::follow`] with settings.
//! - A name: `Dns`, with the feature `dns`.
//!
//! A backend that is inserted again while it is known keeps its figures; one that is removed
//! finishes the calls that it has, and its service is dropped.
//!
//! # Semantics
//!
//! **Readiness.** A [`Balance`] is ready when a backend is. It picks one, asks a clone of its
//! service, and `call` spends that; if it is `Pending`, the next one is asked, and it is passed
//! over for 100 ms. While all are, the balancer waits in the line of each, woken by the first that
//! is ready, for as long as it has [patience](BalanceLayer::patience): then it is ready once, and
//! that call fails with [`Unavailable`]. Of more than 64, it waits in the lines of 64, and asks the
//! others each 100 ms. It fails itself only after [`Balance::shutdown`]. Policies that need the
//! request ([`Ring`]) are always ready, and wait in the future of the call.
//!
//! **Gone.** A backend whose `poll_ready` fails is left out, which [`Balance::snapshot`] shows,
//! until discovery inserts it again, or the layer's function makes its service anew: after 100 ms,
//! and up to 10 s if that happens again and again.
//!
//! **Failures.** What a failure is, a [`Classify`] says, by default any error but tower's
//! `Overloaded`. A backend that fails [rests](BalanceLayer::rest), passed over by every policy
//! while there are others; then one call is let through, for which it rests four times as long, 4 s
//! at most, until that has succeeded. If it is `Pending` then, it is asked again each 100 ms, at no
//! call's cost. An instance avoids the backend that has failed since its last call, for 5 s after
//! that, so that a retry goes elsewhere, by whatever retries; a clone remembers, too. Retry layers
//! stand above. Where a policy needs the request, that is whom it picked at first, and not who
//! stood in for it.
//!
//! **Errors.** A `BoxError`: the backend's own error, unchanged, or [`Unavailable`] to downcast to.
//!
//! **Cancellation.** Dropping a balancer that is ready, or waits, gives back what was reserved; one
//! that is neither dropped nor asked again keeps its places in line, so that whoever gives up a
//! wait drops the clone that waited. If it is asked again long after its patience has ended, it
//! waits anew, once. Dropping the future of a call says nothing of the backend, or that it is
//! slower than it was thought, never better; [`BalanceLayer::overdue`] makes it a failure after so
//! long.
//!
//! **Load.** A call counts until its response is there, or tower's `TrackCompletion` says so
//! ([`BalanceLayer::completion`]): an open session is load.
//!
//! **Clone.** Clones share backends, figures and the policy's memory; each is ready by itself. With
//! the last handle, the tasks end. A balancer is `Sync`, though its services need not be. For
//! services that are not `Clone`, there is [`Exclusive`].
//!
//! **Runtime.** Waits need tokio's timers; to follow discovery, and to make services anew, takes a
//! task. A list without waits needs no runtime.
//!
//! **Tracing.** What changes is an event at `DEBUG`: backends added, changed, removed, gone and
//! back, those that fail several times in a row and recover, weights, panics, and calls that no
//! backend takes. Calls that succeed are none.
//!
//! # Design
//!
//! - The backends are published as a whole, and read without a lock; a pick allocates nothing, and
//!   no change stalls it. The one lock that user code runs under is that of a backend's service,
//!   while it is cloned; a `clone` that panics harms nobody else.
//! - A failure is no fast answer. Who only looks at latency, or at calls under way, sends the more
//!   to a backend the faster it fails; here, it is left alone, and costs five calls at first and
//!   one in four seconds later. One that fails now and then is dearer by its share of failures;
//!   what fails after other calls, that began later, have succeeded is no reason to leave it alone,
//!   or a few slow failures would leave all calls to few backends.
//! - Who is back has to be found out by somebody: by a call in a few seconds, or by readiness at no
//!   cost, where the layers below are `Pending` while it is away.
//! - Few backends are compared all: of two that are drawn by chance, both may be slow. Of more than
//!   64, five are drawn.
//! - A look at the clock is dear beside a pick. All calls are timed while they come slower than one
//!   in 5 us; where they come faster, one of eight by chance, and those of a backend that is tried
//!   again. Counts are exact in any case.
//! - What is known wears off at one rate for all, so that two backends compare without a clock, in
//!   whole numbers that neither overflow nor fail to be numbers; reading changes nothing.
//!
//! # Beside it
//!
//! The third of five crates that stand on tower, and know nothing of each other. Each backend may
//! be a server to which [`wt-pool`](https://docs.rs/wt-pool) lends connections, and between the two
//! stands [`wt-health`](https://docs.rs/wt-health), the next, which is `Pending` for a backend that
//! is out of rotation. [`wt-retry`](https://docs.rs/wt-retry) stands above: what it sends again
//! goes elsewhere.

mod answering;
mod backend;
mod backends;
mod candidate;
mod census;
mod choose;
mod classify;
mod clock;
mod common;
#[cfg(feature = "dns")]
mod dns;
mod driver;
mod error;
mod exclusive;
mod figures;
mod future;
mod gauge;
mod generation;
mod hash;
mod in_flight;
mod last;
mod layer;
mod level;
mod lock;
mod members;
mod mend;
mod merge;
mod peak_ewma;
mod policy;
mod rest;
mod search;
mod service;
mod settings;
mod shared_streak;
mod snapshot;
mod stats;
mod streak;
mod targets;
mod tell;
mod timing;
mod view;
mod wait;

use std::sync::atomic;

pub use classify::{ByError, Classify, Outcome};
#[cfg(feature = "dns")]
pub use dns::{Addresses, Dns};
pub use error::{NoTargets, Unavailable};
pub use exclusive::Exclusive;
pub use figures::Figures;
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

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
