//! What a target has, and who waits for it: the decisions, without clock, lock or task.

mod core;
mod demand;
mod expiry;
mod figures;
mod phase;
mod slot;

pub(crate) use self::core::{Loan, Refusal, Return, Share, Stock};
pub(crate) use phase::Phase;
pub(crate) use slot::{Gone, Guards};

#[cfg(test)]
mod model;
