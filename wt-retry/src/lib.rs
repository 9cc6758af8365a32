//! Tries again, with backoff, within a budget: a tower layer.
//!
//! For clients of any tower service, at either level: a maker that is to connect again, or a
//! service of requests that is to ask another backend. Not for what fails alike every time, and not
//! where a layer above or below retries already: one is enough, and notices others ([`mark`]). An
//! answer that has begun is final; what comes after it, a session's streams or a body's end, is
//! never retried.
//!
//! ```text
//!             ┌──────────────── the policy: not again ───────────────► the outcome
//!             │
//!  call ──► Calling ── again, after so long ──► Waiting ──► Readying ──► Calling …
//!                                               nothing     the service's
//!                                               is held     own readiness
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use tower::{ServiceBuilder, ServiceExt};
//! use wt_retry::backoff::Exponential;
//! use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy, Verdict};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! # tokio::time::pause();
//! let classify = |_: &&str, result: Result<&usize, &std::io::Error>| match result {
//!     Ok(_) => Verdict::Return,
//!     Err(_) => Verdict::Retry,
//! };
//! let mut failures = 2;
//! let client = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(10)))
//!     .layer(RetryLayer::new(StandardPolicy::new(classify, Exponential::default())))
//!     .service_fn(move |question: &'static str| {
//!         let failed = failures > 0;
//!         failures -= usize::from(failed);
//!         let refused = std::io::ErrorKind::ConnectionRefused;
//!         std::future::ready(if failed { Err(refused.into()) } else { Ok(question.len()) })
//!     });
//!
//! assert_eq!(client.oneshot("which way?").await?, 10);
//! # Ok(())
//! # }
//! ```
//!
//! # How it decides
//!
//! [`RetryLayer`] takes any [`Policy`](tower::retry::Policy) of tower's. [`StandardPolicy`], which
//! also works under tower's own `Retry`, asks in this order, and the first no is its
//! [`Reason`]:
//!
//! 1. its classifier, a closure that gives a [`Verdict`]: whether another attempt is worth it, and
//!    whether the server said how long to wait, or has never seen this one;
//! 2. the number of attempts, 4;
//! 3. the [`backoff`], for how long to wait: by default 1 s, 2 s, 4 s, up to 30 s, each of them a
//!    random share of that;
//! 4. the deadline, if the request carries one: no wait begins that would end beyond it;
//! 5. the [`replay`], whether the request can be sent again;
//! 6. the [`budget`], shared by all calls to one destination: by default one retry for ten calls,
//!    100 in a burst, and one each second. What the other end never saw is free of it.
//!
//! # Semantics
//!
//! **Readiness.** A [`Retry`] is as ready as the service below. The instance that was readied makes
//! the call and its further attempts, each once it is ready again. A [`Deadline`] is always ready;
//! its calls wait for a clone of the service below, and that counts.
//!
//! **Errors.** Those of a [`Retry`] are the service's own, the last one of a call. A [`Deadline`]
//! adds [`DeadlineExceeded`].
//!
//! **Holding.** Before a retry sleeps, the attempt's future and its outcome are dropped, with every
//! slot, permit and connection in them. What the budget gave for the retry is kept meanwhile.
//!
//! **Cancellation.** Dropping a call's future drops the attempt that it waits for and gives its
//! permit back to the budget; a retry that had not been sent costs nothing.
//!
//! **Clone.** Clones of the layers and services share the budget, the counters and the observer, by
//! those of their parts. A clone of a policy has no call of its own yet.
//!
//! **Tracing.** Each retry, each that was not made though the outcome was worth one, and the end of
//! each call that had several attempts is an event of `tracing` at the level `DEBUG`; a call whose
//! request is sent once is none. [`StandardPolicy::stats`] counts; [`RetryLayer::observer`] hears
//! how each call ended, unless it was dropped.
//!
//! **Runtime.** Waits and deadlines need tokio's timers.
//!
//! **Cost.** A call of a [`Retry`] that succeeds allocates nothing, reads no clock and takes no
//! lock. Marks in the extensions of a request ([`mark`]) do allocate, bodies that are buffered
//! ([`replay`]) allocate and lock, and a [`Deadline`] has a timer.
//!
//! # Design
//!
//! Attempts alone bound a call, not the load: when a server fails every call, four attempts are
//! four times the load just when it can least bear that. A budget bounds the load. It is spent in
//! proportion to first attempts, so an outage costs a tenth more, not three times more; and little
//! is saved up, so that the first second of one is no wave.
//!
//! A hint of the server's is waited for on top of the backoff, so that those who were told the same
//! do not come back together. One that is longer than [`StandardPolicy::longest_hint`] is the
//! caller's to know, with the response that has it: to come sooner is what it asks not to do.
//!
//! Each call clones the policy before it asks, so that it counts alone. tower's `Retry` asks the
//! one that all calls share about first attempts, which is why `StandardPolicy` takes a request
//! that no retry was decided for as the first of a call.
//!
//! # Beside it
//!
//! The last of five crates that stand on tower, and know nothing of each other. It stands above a
//! balancer, such as [`wt-balance`](https://docs.rs/wt-balance), so that a retry goes elsewhere, or
//! above a maker of connections, such as [`wt-connection`](https://docs.rs/wt-connection)'s
//! `Connector`. A timeout of one attempt stands far below, under
//! [`wt-health`](https://docs.rs/wt-health); the deadline of all of them is [`DeadlineLayer`], on
//! top.
mod attempt;
pub mod backoff;
pub mod budget;
mod course;
mod deadline;
mod ended;
mod future;
mod layer;
pub mod mark;
mod observer;
mod policy;
mod policy_for;
mod reason;
pub mod replay;
mod service;
mod settings;
mod stats;
mod verdict;
mod wait;

pub use deadline::{Deadline, DeadlineExceeded, DeadlineFuture, DeadlineLayer};
pub use ended::{Ended, Stopped};
pub use future::ResponseFuture;
pub use layer::RetryLayer;
pub use policy::StandardPolicy;
pub use policy_for::PolicyFor;
pub use reason::Reason;
pub use service::Retry;
pub use stats::RetryStats;
pub use verdict::Verdict;
pub use wait::Wait;

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
