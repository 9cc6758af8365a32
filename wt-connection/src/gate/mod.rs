//! What is polled only when it has asked for it.

use std::sync::atomic;

mod entry;
#[cfg(test)]
mod tests;

pub(crate) use entry::Gate;
