//! What a target has, and who waits for it: the decisions, without clock, lock or task.

mod core;
mod demand;
mod expiry;
mod figures;
mod lending;
mod loan;
mod phase;
mod proof;
mod slot;

pub(crate) use self::core::Stock;
pub(crate) use loan::{Loan, Refusal, Return, Share};
pub(crate) use phase::Phase;
pub(crate) use slot::{Gone, Guards};

#[cfg(test)]
mod audit;
#[cfg(test)]
mod look;
#[cfg(test)]
mod model;
