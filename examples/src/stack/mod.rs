//! The crates in one client: what calls several servers, and survives them.
//!
//! [`stack`] is the whole of it, to be copied; [`Figures`] is what one wants to see of it.
//!
//! # The order
//!
//! ```text
//! load shed          turns away what is too much, before it costs anything
//! concurrency limit  says what is too much
//! deadline           bounds all below, waiting too; always ready, or load shed would shed the wait
//! retry              asks again, elsewhere: the balancer avoids who has just failed
//! balance            picks a backend that is ready
//!   health           judges the backend by what comes back, timeouts among it; not ready: ejected
//!   per-try timeout  a backend that says nothing fails, by an error
//!   the call         what is done with the session
//!   pool             lends a connection; not ready: none can be had
//!     connect timeout
//!       connector
//! ```
//!
//! Each layer may be left out. What goes wrong in another order:
//!
//! | order | what happens |
//! | --- | --- |
//! | retry below balance | asks the same dead backend again |
//! | retry below retry | attempts multiply, and budgets with them |
//! | health above balance | one verdict for all backends: ejects everything, or nothing |
//! | per-try timeout above health | a drop, which says nothing about the backend; only [`overdue`](wt_health::HealthLayer::overdue) makes it a failure |
//! | per-try timeout above balance | the same to the balancer; and tower's `Timeout` bounds no wait for readiness |
//! | pool above balance | does not compile: a pool stands on a maker of connections |
//! | balance on a service | does not compile: it stands on a function that makes the service of each target |
//! | health for no backend in particular | does not compile: [`Monitor::layer`](wt_health::Monitor::layer) asks for a key |
//! | deadline below retry | each attempt has its own; all attempts together have none |
//! | load shed below retry | a call that would have had to wait fails instead, and is not sent again: no retry helps a limit of this side |
//! | load shed with no deadline below | sheds the first calls, while connections are being made, and whenever no backend is ready for a moment |
//! | concurrency limit below retry | an attempt waits for the room that its own call could have had |
//! | [`RetryLayer::new`](wt_retry::RetryLayer::new) for a policy with marks | compiles, and attempts are not marked: it is [`RetryLayer::standard`](wt_retry::RetryLayer::standard) that marks |
//! | `Buffer` anywhere | nothing here needs one: all of it is `Clone` |
//!
//! A pool above a balancer:
//!
//! ```compile_fail,E0277
//! # use std::convert::Infallible;
//! # use tower::{Layer, ServiceExt, service_fn};
//! # use wt_balance::BalanceLayer;
//! # use wt_pool::PoolLayer;
//! let backend = |_: &'static str| service_fn(|n: u32| async move { Ok::<_, Infallible>(n) });
//! let balance = BalanceLayer::new(["one", "two"]).layer(backend);
//! let pool = PoolLayer::new(4).layer(balance);
//! # async {
//! pool.oneshot("one").await
//! # };
//! ```
//!
//! A balancer on a service:
//!
//! ```compile_fail,E0277
//! # use std::convert::Infallible;
//! # use tower::{Layer, ServiceExt, service_fn};
//! # use wt_balance::BalanceLayer;
//! let one = service_fn(|n: u32| async move { Ok::<_, Infallible>(n) });
//! let balance = BalanceLayer::new(["one", "two"]).layer(one);
//! # async {
//! balance.oneshot(7).await
//! # };
//! ```
//!
//! Health for no backend in particular:
//!
//! ```compile_fail,E0061
//! # use wt_health::Monitor;
//! let monitor: Monitor<&str> = Monitor::new();
//! let layer = monitor.layer();
//! ```
//!
//! In the right order, the first two are:
//!
//! ```
//! # use std::convert::Infallible;
//! # use tower::{BoxError, Layer, ServiceExt, service_fn};
//! # use wt_balance::BalanceLayer;
//! # use wt_pool::PoolLayer;
//! # #[tokio::main]
//! # async fn main() -> Result<(), BoxError> {
//! let maker = service_fn(|_: &'static str| async {
//!     Ok::<_, Infallible>(service_fn(|n: u32| async move { Ok::<_, Infallible>(n) }))
//! });
//! let pool = PoolLayer::new(4).layer(maker);
//! let balance = BalanceLayer::new(["one", "two"]).layer(move |target| pool.service(target));
//! assert_eq!(balance.oneshot(7).await?, 7);
//! # Ok(())
//! # }
//! ```
//!
//! # The times
//!
//! One attempt to connect ≤ one attempt of a call < the balancer's patience ≤ the deadline. A call
//! that no backend was ready for hears the balancer's
//! [`Unavailable`](wt_balance::Unavailable), or
//! [`DeadlineExceeded`](wt_retry::DeadlineExceeded) if that comes first, and not why: a pool that
//! cannot connect is not ready, and tries again by itself. What kept it from connecting is in its
//! figures and in `tracing`'s events. Its acquire timeout, 30 s by default, is to stay beyond the
//! deadline: at its end, the pool says once that it is ready, so that a call may hear the reason.

mod client;
mod echo;
mod figures;
mod sessions;

pub use client::Client;
pub use echo::echo;
pub use figures::{Figures, Stack};
pub use sessions::{CONNECT_TIMEOUT, DEADLINE, PATH, TRY_TIMEOUT, stack};
