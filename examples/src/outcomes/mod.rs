//! What the outcome of a call says about its backend: classifiers for a
//! [`HealthLayer`](wt_health::HealthLayer).
//!
//! [`connect()`](connect()) is for makers of connections, [`open`] for the opening of sessions,
//! [`request`] for plain HTTP/3 requests, [`boxed`] for stacks whose layers have made one error of
//! all, a pool's [`PoolError`](wt_pool::PoolError) among them; [`balanced`] says the same to a
//! balancer. What the backend, or the way to it, could not do is a failure. What it did, though not
//! as the caller would have it, is a success: it works. What this side did, a limit of a pool for
//! one, says nothing; nor does the end of a server that drains, and refuses what comes too late:
//! that is `Draining`, while `Unprocessed` is a limit of the server's, and a failure.

mod balanced;
mod boxed;
mod connect;
mod open;
mod pool;
mod request;

pub use balanced::balanced;
pub use boxed::boxed;
pub use connect::connect;
pub use open::open;
pub use pool::pool;
pub use request::request;
