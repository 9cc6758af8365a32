//! Lends connections, shared or exclusive, and closes those that nobody uses.
//!
//! For clients of any protocol whose connections are tower services, made by a tower service: a
//! hyper client, a tonic channel, WebTransport sessions over few connections. Not for values that
//! are not services (there are pools for databases), nor for spreading requests over several
//! targets: a balancer does that, over one [`Pool::service`] for each.
//!
//! ```text
//!                    Pool: Service<T> → Pooled<C>              level of makers
//!                      │ service(target): the hinge
//!                    PoolService: Service<Req> → response      level of requests
//!                      │
//!   waiters, first come, first served       idle timeout, lifetime, uses, death, drain
//!          ▼                                                   ▲
//!   ┌─ connecting ──► idle ◄──────► lent ──────► draining ──► closed
//!   │                  ▲ hand-off     │ (shared: up to the capacity)
//!   └── fails: all     └── validated ◄┘ a call was dropped unanswered
//!       who wait
//! ```
//!
//! ```
//! use std::convert::Infallible;
//!
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use wt_pool::PoolLayer;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let maker = service_fn(|target: &'static str| async move {
//!     println!("connecting to {target}");
//!     let connection = service_fn(move |n: u32| async move { Ok::<_, Infallible>(n + 1) });
//!     Ok::<_, Infallible>(connection)
//! });
//! let mut pool = PoolLayer::new(4).layer(maker);
//!
//! let mut backend = pool.service("one");
//! assert_eq!(backend.ready().await?.call(1).await?, 2);
//!
//! let mut lent = pool.ready().await?.call("one").await?;
//! assert_eq!(lent.ready().await?.call(2).await?, 3);
//! drop(lent);
//! assert_eq!(pool.stats().total.opened, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # A hyper client
//!
//! hyper's HTTP/1 connection becomes a service by a few lines. It is exclusive, and in use until
//! the body of the response has been read, so that the body holds the slot:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::combinators::UnsyncBoxBody;
//! use http_body_util::{BodyExt, Empty};
//! use hyper::body::Incoming;
//! use hyper::client::conn::http1::{SendRequest, handshake};
//! # use hyper::server::conn::http1;
//! # use hyper::service::service_fn as hyper_fn;
//! use hyper_util::rt::TokioIo;
//! use tower::load::TrackCompletion;
//! use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
//! use wt_pool::PoolLayer;
//! # use std::pin::Pin;
//! # use std::task::{Context, Poll};
//!
//! struct Http1(SendRequest<Empty<Bytes>>);
//!
//! impl Service<Request<Empty<Bytes>>> for Http1 {
//!     type Response = Response<Incoming>;
//!     type Error = hyper::Error;
//!     type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;
//!
//!     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
//!         self.0.poll_ready(cx)
//!     }
//!
//!     fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
//!         Box::pin(self.0.send_request(request))
//!     }
//! }
//!
//! #[derive(Clone)]
//! struct CompleteOnBody;
//!
//! impl<H: Send + 'static> TrackCompletion<H, Response<Incoming>> for CompleteOnBody {
//!     type Output = Response<UnsyncBoxBody<Bytes, hyper::Error>>;
//!
//!     fn track_completion(&self, handle: H, response: Response<Incoming>) -> Self::Output {
//!         response.map(|body| {
//!             let held = move |frame| {
//!                 let _held = &handle;
//!                 frame
//!             };
//!             body.map_frame(held).boxed_unsync()
//!         })
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), BoxError> {
//! let connector = service_fn(|_authority: &'static str| async {
//!     // Instead of a `TcpStream::connect(authority).await?`:
//!     let (stream, server) = tokio::io::duplex(1024);
//! #   let hello = hyper_fn(|_| async {
//! #       Ok::<_, BoxError>(Response::new("hello".to_owned()))
//! #   });
//! #   tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), hello));
//!     let (sender, connection) = handshake(TokioIo::new(stream)).await?;
//!     tokio::spawn(connection);
//!     Ok::<_, BoxError>(Http1(sender))
//! });
//! let pool = PoolLayer::new(8).completion(CompleteOnBody).layer(connector);
//! let mut client = pool.service("localhost:80");
//!
//! for _ in 0..3 {
//!     let response = client.ready().await?.call(Request::new(Empty::new())).await?;
//!     assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! }
//! assert_eq!(pool.stats().total.opened, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # A pool of one
//!
//! One connection that is there when it is needed, is made once for all who ask, and is made anew
//! when it has died, is a pool of one:
//!
//! ```
//! # use std::convert::Infallible;
//! use tower::{Layer, Service, ServiceExt, service_fn};
//! use wt_pool::PoolLayer;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), tower::BoxError> {
//! # let maker = service_fn(|(): ()| async {
//! #     Ok::<_, Infallible>(service_fn(|n: u32| async move { Ok::<_, Infallible>(n + 1) }))
//! # });
//! # fn capacity<C>(_: &C) -> usize { usize::MAX }
//! let pool = PoolLayer::new(1).shared(capacity).layer(maker);
//! let one = pool.service(());
//!
//! let (mut a, mut b) = (one.clone(), one);
//! let (a, b) = tokio::join!(a.ready(), b.ready());
//! assert_eq!(a?.call(1).await? + b?.call(1).await?, 4);
//! assert_eq!(pool.stats().total.opened, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! **Readiness.** A [`Pool`] is always ready; its future waits. A [`PoolService`] is ready while it
//! holds a slot on a connection that is ready, and `Pending` while it waits for one, whether all
//! are in use or the target cannot be reached; see there. A connection's own `poll_ready` says
//! whether it lives: it is asked when the connection is lent, and at each sweep. `Pending` is
//! alive, and busy: another connection that is ready is lent instead if there is one.
//!
//! **Cancellation.** Whatever is dropped passes on what it held: a [`Checkout`] its place in line
//! or what it was handed, a ready [`PoolService`] its slot, a [`ResponseFuture`] its connection. A
//! connect that has begun goes on, and joins the stock.
//!
//! **Clone.** Clones of a [`Pool`] and of a [`PoolService`] share the connections, and no slots.
//! The pool closes with the last of them; a [`Pooled`] keeps its own connection only.
//!
//! **Panics.** Code of yours that panics in a caller's own checkout panics there, and the slot
//! comes back. In the background it fails the connect, closes the connection that was asked or had
//! to prove that it lives, or is a capacity of none; the pool goes on.
//!
//! **Runtime.** Waiting needs a tokio runtime with its time enabled. Drops need none.
//!
//! # Design
//!
//! - Who waits is served by hand-off, in the order of arrival, so that nobody is overtaken; a
//!   waiter takes what comes first, a slot or a new connection. Exclusive connections are lent last
//!   in, first out, so that those that are not needed become idle; requests on shared ones fill the
//!   oldest, for the same reason.
//! - One failed connect fails all who wait: none of them would fare better by trying in turn. The
//!   hinge waits on instead, as a balancer above would take readiness for health, and an error for
//!   the end.
//! - Each target has a task that makes its connections and tidies up, so that a caller that goes
//!   away takes nothing along, and drops spawn nothing.
//! - Every decision is made by a value without clock, lock or task. What is kept under a lock is
//!   that value alone: no caller's code runs there.
//!
//! # Beside it
//!
//! The second of five crates that stand on tower, and know nothing of each other. What it lends may
//! be a connection of [`wt-connection`](https://docs.rs/wt-connection): a shared one, whose
//! capacity is the sessions that its server allows. [`PoolService`] is what
//! [`wt-balance`](https://docs.rs/wt-balance), the next, has one of for each server: `Pending`
//! while that cannot be reached, so that the balancer takes another.

mod answer;
mod backoff;
mod caught;
mod checked;
mod checkout;
mod common;
mod deadline;
mod drain;
mod error;
mod future;
mod hand_off;
mod hinge;
mod home;
mod idle;
mod idleness;
mod keeper;
mod layer;
mod lease;
mod line;
mod lock;
mod owner;
mod pace;
mod pooled;
mod room;
mod rules;
mod service;
mod shared;
mod slots;
mod stats;
mod stock;
mod targets;
mod tidy;
mod validate;
mod wakes;
mod warm;

pub use answer::Answer;
pub use checkout::Checkout;
pub use error::PoolError;
pub use future::ResponseFuture;
pub use hinge::PoolService;
pub use idle::{Idle, IdleFuture, IdleHandle, IdleLayer, InFlight};
pub use layer::PoolLayer;
pub use pooled::Pooled;
pub use service::Pool;
pub use stats::{ClosedStats, PoolStats, TargetStats};
pub use validate::Validate;
pub use warm::WarmAll;

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
