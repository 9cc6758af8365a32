//! Compositions of the crates, and the parts that several of them share; see the files beside
//! `src`.

pub mod classes;
pub mod echo;
mod error;
pub mod outcomes;
pub mod probes;

pub use error::{BoxError, causes};
