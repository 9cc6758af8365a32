//! What of an outcome is worth another attempt: classifiers for a
//! [`StandardPolicy`](wt_retry::StandardPolicy).
//!
//! [`connect()`](connect()) is for makers of connections, [`open`] for the opening of sessions,
//! [`request`] for plain HTTP/3 requests, [`boxed`] for stacks whose layers have made one error of
//! all, and [`repeatable`] for those whose calls may be made twice; [`any`] is for such calls of any
//! other service. What was refused before it was processed is sent again, free of budget; what the
//! server asks to come back for, after as long as it says; what failed on the way, after the
//! backoff. What fails alike every time is not sent again: TLS, names and settings; nor is what may
//! have been done already and must not be done twice. A session that is established is never
//! retried: whatever ends it comes after the answer.

mod any;
mod boxed;
mod connect;
mod open;
mod repeatable;
mod request;
mod retry_after;

pub use any::any;
pub use boxed::boxed;
pub use connect::{connect, lost};
pub use open::open;
pub use repeatable::repeatable;
pub use request::request;
pub use retry_after::retry_after;
