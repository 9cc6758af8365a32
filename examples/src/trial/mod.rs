//! A client on trial: steady calls while faults befall its servers, and what came of them.

mod faults;
mod load;
mod over_tcp;
mod plot;
mod record;
mod report;
mod run;
mod table;

pub use over_tcp::over_tcp;
pub use report::Summary;
pub use run::{fleet, run};
pub use table::Key;
