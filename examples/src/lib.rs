//! Compositions of the crates, and the parts that several of them share; see the files beside
//! `src`.
//!
//! This is where five chapters come together: [`wt_connection`], [`wt_pool`], [`wt_balance`],
//! [`wt_health`] and [`wt_retry`]. [`probes`] and [`outcomes`] tell the judge of health, and
//! [`classes`] a retry, what the errors of the others mean; [`proxy`] is a stack of all five, and
//! what [`splice`] does with its sessions.

pub mod classes;
pub mod echo;
mod error;
pub mod outcomes;
pub mod probes;
pub mod proxy;
pub mod servers;
pub mod splice;
pub mod stack;
pub mod trial;

pub use error::{BoxError, causes};

/// The code of the front page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// The code of the page for those who come from `pywebtransport` compiles.
#[cfg(doctest)]
#[doc = include_str!("../../MIGRATION.md")]
mod migration {}
