//! The CONNECT of a session, as a tower service meets it.

#[cfg(feature = "axum")]
mod axum;
mod cell;
mod error;
mod handle;

#[cfg(feature = "axum")]
pub use self::axum::{NotWebTransport, WebTransportUpgrade};
pub use error::UpgradeError;
pub use handle::{Upgrade, Upgrading};

pub(crate) use cell::Cell;
