//! Takes a failing backend out of rotation, and lets it back in: a tower layer.
//!
//! For clients that have several backends of any tower service to choose from, under any balancer
//! that knows tower's contract. Not for a limit on calls, nor for retries: there are other layers
//! for these, above a balancer; this one is below it, once for each backend.
//!
//! ```text
//!              calls fail: five in a row, or more often than others do
//!   ┌── Up ───────────────────────────────────────────────────► Ejected ◄──────┐
//!   │   ▲ ▲   all calls pass                          no call passes │         │
//!   │   │ └───────── probes succeed, twice in a row ────────────────┤         │ it fails:
//!   │   │                                             time is over   │         │ for longer
//!   │   └── it succeeds ── Proving: one call passes ◄────────────────┘         │
//!   │                          └────────────────────────────────────────────────┘
//!   └── probes fail, three in a row ──► Down, where probes may eject ── they succeed ──► Up
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use tower::timeout::TimeoutLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use wt_health::Monitor;
//! use wt_health::snapshot::State;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let monitor = Monitor::new();
//! let backend = |key: &'static str| {
//!     ServiceBuilder::new()
//!         .layer(monitor.layer(key))
//!         .layer(TimeoutLayer::new(Duration::from_secs(1)))
//!         .service(service_fn(move |question: &'static str| {
//!             let broken = key == "broken";
//!             async move { if broken { Err("no") } else { Ok(question.len()) } }
//!         }))
//! };
//! let (well, broken) = (backend("well"), backend("broken"));
//!
//! assert_eq!(well.clone().oneshot("which way?").await?, 10);
//! for _ in 0..5 {
//!     assert!(broken.clone().oneshot("which way?").await.is_err());
//! }
//! assert!(well.is_open() && !broken.is_open());
//! assert!(matches!(monitor.state(&"broken"), Some(State::Ejected { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! With a balancer on it, [`Monitor::discover`] gives each discovered service its layer; a layer
//! by hand goes where services are made of targets.
//!
//! # How it decides
//!
//! **Calls.** What the outcome of a call says is a [`Classify`]'s to say; by default an error is a
//! failure, so that a timeout *below* the layer is one. By [`Outlier`](outlier::Outlier), a backend
//! is ejected for 30 s when five calls in a row fail, at once; or when, at the end of an interval
//! of 10 s, its success rate is far below the others', or 85 % of its calls failed: these two,
//! their defaults, and what follows are those of [gRFC
//! A50](https://github.com/grpc/proposal/blob/master/A50-xds-outlier-detection.md). The next
//! ejection is longer, up to 300 s, and each interval without one makes that shorter again. No more
//! than 10 % are ejected at any time, though one always may be.
//!
//! **Proof.** When the time of an ejection is over, one call passes. If it succeeds, all may pass;
//! if it fails, the backend is ejected for longer; if it is given up, or not made within a second
//! while the service below is ready, or takes 30 s to be made or to be answered, another one may
//! pass. If none is made for an interval, all may pass unproved: nobody is there to be spared, and
//! other backends may have to be ejected instead.
//!
//! **Probes.** By [`Probes`](probe::Probes), backends are probed beside all calls, every 30 s, or
//! every second after a change; two in a row that succeed, or three that fail, are a verdict. Who
//! has the last word is [`Combine`]'s to say: by default calls eject, and probes let back in.
//!
//! **Operators.** [`Monitor::set_override`] goes before all verdicts.
//!
//! **Panic.** When more than half of the backends are out, and more than one, all are in rotation
//! ([`MonitorBuilder::panic_threshold`]).
//!
//! # Semantics
//!
//! **Readiness.** A [`Health`] is `Pending` while its backend is out of rotation, with a waker that
//! is woken when that ends; otherwise it is as ready as the service below, which is not asked
//! before. One that was ready may be `Pending` when it is asked again, since the backend was
//! ejected meanwhile, or another one makes the call that proves it; unless it is asked, it may call
//! whatever has happened since. Errors are the service's own; one of its readiness is judged as
//! that of a call is.
//!
//! **Cancellation.** A call whose future is dropped says nothing, unless calls may be
//! [overdue](HealthLayer::overdue); if it was to prove the backend, another one may. Calls that
//! were made before an ejection say nothing during and after it.
//!
//! **Clone.** Clones of a service are of the same backend, and each waits for itself. Clones of a
//! [`Monitor`] are of the same fleet.
//!
//! **Keys.** A backend belongs to the fleet, and is probed, while anybody has its layer, a service
//! of it, or a [`Watch`]; a call that is under way does not count. What is known of it stays with
//! its key until there is nothing left to be remembered: no ejection, no multiplier, no override,
//! no call for an interval, and no row of failures for as long as the longest ejection takes.
//!
//! **Runtime.** A monitor is a task of the tokio runtime in which it was made. It ends, with all
//! probes under way, when the last handle is dropped. Should it end before, with its runtime or
//! since the code of a key has panicked, nobody judges any more, watches end, and all backends are
//! in rotation but for those that an operator keeps out.
//!
//! **Tracing.** What happens to backends is an event of `tracing`, at the level `WARN` where one is
//! taken out or all panic, `DEBUG` otherwise. Calls are none. [`Monitor::subscribe`] tells the same
//! to programs, and [`Monitor::snapshot`] how things are.
//!
//! **Cost.** A call that succeeds takes no lock, reads no clock, and allocates nothing, but for a
//! few bytes when a service is called for the second time; nor does one that fails, unless the row
//! of failures is long enough. While nothing happens, the task wakes at the end of each interval,
//! and for probes of backends that somebody uses.
//!
//! # Design
//!
//! - An ejected backend is `Pending`, not an error: a balancer passes it by, and does not drop it.
//!   A timer wakes those who wait, so that nobody has to ask again and again.
//! - What is asked of all at once, as a limit is, is decided by one value under one lock, which has
//!   neither clock nor task. What each call does is a few words that are counted without.
//! - Success rates are compared as A50 does, and what [chance](outlier::SuccessRate::chance)
//!   explains is no reason: of backends that fail alike, one is always the worst.
//! - A row of failures, which A50 leaves out, needs no minimum of calls: it finds a dead backend by
//!   five of them, at once. Of one that fails one call in a hundred, one row in ten thousand
//!   million is so long.
//! - One call is enough to prove a backend, and no more than one that is not well can bear. The
//!   permit for it is lent, since a balancer may hold a service that is ready as long as it likes.
//!
//! # Beside it
//!
//! The fourth of five crates that stand on tower, and know nothing of each other. It stands below a
//! balancer, such as [`wt-balance`](https://docs.rs/wt-balance), once for each backend, and above
//! what leads there: a timeout, then [`wt-pool`](https://docs.rs/wt-pool). What it lets through and
//! fails nevertheless is for [`wt-retry`](https://docs.rs/wt-retry), the last.

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
mod holders;
mod judge;
mod keys;
mod later;
mod layer;
mod lock;
mod monitor;
mod outbox;
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

// Loom's, in the test of those who use it.
use std::sync::atomic;

pub use builder::MonitorBuilder;
pub use classify::{ByError, Classify, Outcome};
pub use combine::Combine;
pub use discover::HealthDiscover;
pub use force::Override;
pub use future::ResponseFuture;
pub use layer::HealthLayer;
pub use monitor::Monitor;
pub use service::Health;
pub use watch::{Ended, Watch};

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
