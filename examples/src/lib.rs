//! Compositions of the crates, and the parts that several of them share; see the files beside
//! `src`.

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

/// The code of the page for those who come from `pywebtransport` compiles.
#[cfg(doctest)]
#[doc = include_str!("../../MIGRATION.md")]
mod migration {}
