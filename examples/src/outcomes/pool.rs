use std::error::Error;

use wt_connection::ConnectError;
use wt_health::Outcome;
use wt_pool::PoolError;

use crate::error::chain;
use crate::outcomes::connect::not_connected;

/// What it says about the backend that a pool had no connection to lend.
#[must_use]
pub fn pool(error: &PoolError) -> Outcome {
    match error {
        PoolError::Connect(error) => caused(&**error),
        // There was room for one more, which was not there in time: the backend is slow, or silent,
        // however many sessions are open from before.
        PoolError::TimedOut {
            connecting: 1.., ..
        } => Outcome::Failure,
        // All were in use, or the pool is about to close: limits of this side.
        PoolError::TimedOut { .. }
        | PoolError::QueueFull
        | PoolError::Closed
        | PoolError::Draining => Outcome::Ignore,
        _ => Outcome::Failure,
    }
}

/// The maker's own error, as it is below the layers that are in between.
fn caused(error: &(dyn Error + 'static)) -> Outcome {
    let connect = chain(error).find_map(|error| error.downcast_ref::<ConnectError>());
    connect.map_or(Outcome::Failure, not_connected)
}
