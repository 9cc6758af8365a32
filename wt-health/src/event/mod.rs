//! What happens to backends, as it happens.

mod events;
mod kinds;

pub use events::Events;
pub use kinds::{Event, Reason};
