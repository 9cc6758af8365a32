//! The backends of a monitor together: a value without clock, lock or task.

mod actions;
mod admission;
mod agenda;
mod ejections;
mod model;
mod probing;
mod record;
mod rules;
mod sweep;

#[cfg(test)]
mod a50;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod probed;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod trial;

pub(crate) use actions::{Actions, Change};
pub(crate) use model::Fleet;
pub(crate) use probing::{Found, Start};
pub(crate) use record::{Phase, Record};
pub(crate) use rules::Rules;
