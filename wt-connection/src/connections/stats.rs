use std::collections::HashMap;

use crate::ConnectionState;
use crate::connections::table::Counts;

/// How many connections a [`Connections`](crate::Connections) has, and has had.
///
/// With the feature `serde` it is serialised; `states` then has how many are in each state that any
/// is in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionsStats {
    /// In it now.
    pub open: usize,
    /// The most that were in it at once.
    pub high_water: usize,
    /// Added so far, those that it refused not among them.
    pub added: u64,
    /// Over while they were in it; not those that were removed.
    pub ended: u64,
    /// Refused so far, because it was full or shut down.
    pub refused: u64,
    /// How many may be in it at once.
    pub max_connections: usize,
    states: HashMap<ConnectionState, usize>,
}

impl ConnectionsStats {
    pub(crate) fn new(counts: Counts, states: impl Iterator<Item = ConnectionState>) -> Self {
        let mut in_state = HashMap::new();
        for state in states {
            *in_state.entry(state).or_default() += 1;
        }
        Self {
            open: counts.open,
            high_water: counts.high_water,
            added: counts.added,
            ended: counts.ended,
            refused: counts.refused,
            max_connections: counts.max,
            states: in_state,
        }
    }

    /// How many of those that are open are in this state.
    #[must_use]
    pub fn in_state(&self, state: ConnectionState) -> usize {
        self.states.get(&state).copied().unwrap_or(0)
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn its_json_is_what_monitors_read() {
        let counts = Counts {
            open: 3,
            reserved: 0,
            max: 6,
            high_water: 4,
            added: 7,
            ended: 2,
            refused: 1,
        };
        let connected = ConnectionState::Connected;
        let states = [connected, ConnectionState::Draining, connected];

        let stats = ConnectionsStats::new(counts, states.into_iter());

        let expected = json!({
            "open": 3,
            "high_water": 4,
            "added": 7,
            "ended": 2,
            "refused": 1,
            "max_connections": 6,
            "states": { "connected": 2, "draining": 1 },
        });
        assert_eq!(serde_json::to_value(&stats).unwrap(), expected);
    }
}
