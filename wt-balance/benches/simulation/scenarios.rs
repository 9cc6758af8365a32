//! What goes wrong.

use crate::world::Does;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) backends: usize,
    pub(crate) clients: usize,
    /// Of the backends, how many as good as sound ones there are: what the load goes by.
    pub(crate) capacity: f64,
    /// The share of that which is asked of them.
    pub(crate) load: f64,
    /// By the place of the backend, and the milliseconds since the start.
    pub(crate) does: fn(usize, f64) -> Does,
}

const SOUND: Scenario = Scenario {
    name: "all equal",
    backends: 10,
    clients: 1,
    capacity: 10.0,
    load: 0.7,
    does: |_, _| Does::Take(10.0),
};

pub(crate) const ALL: [Scenario; 16] = [
    SOUND,
    Scenario {
        name: "all equal, 50 %",
        load: 0.5,
        ..SOUND
    },
    Scenario {
        name: "1 of 10 slow",
        capacity: 9.1,
        does: |place, _| Does::Take(if place == 3 { 100.0 } else { 10.0 }),
        ..SOUND
    },
    Scenario {
        name: "1 of 10 fails at once",
        capacity: 9.0,
        does: |place, _| match place {
            3 => Does::Fail,
            _ => Does::Take(10.0),
        },
        ..SOUND
    },
    Scenario {
        name: "all lose 0.5 % of their calls",
        does: |_, _| Does::Lose(0.005),
        ..SOUND
    },
    Scenario {
        name: "1 of 10 stalls for 500 ms each 5 s",
        capacity: 9.5,
        does: |place, at| match place {
            3 if at % 5000.0 < 500.0 => Does::Stall((at / 5000.0).floor() * 5000.0 + 500.0),
            _ => Does::Take(10.0),
        },
        ..SOUND
    },
    Scenario {
        name: "1 of 10 is 20 times slower for 10 s",
        capacity: 9.05,
        does: |place, at| match place {
            3 if (10_000.0..20_000.0).contains(&at) => Does::Take(200.0),
            _ => Does::Take(10.0),
        },
        ..SOUND
    },
    Scenario {
        name: "1 of 10 slow, 30 clients",
        clients: 30,
        capacity: 9.1,
        does: |place, _| Does::Take(if place == 3 { 100.0 } else { 10.0 }),
        ..SOUND
    },
    Scenario {
        name: "half 5 ms, half 20 ms, 30 clients",
        clients: 30,
        capacity: 12.5,
        does: |place, _| Does::Take(if place < 5 { 5.0 } else { 20.0 }),
        ..SOUND
    },
    Scenario {
        name: "4, all equal",
        backends: 4,
        capacity: 4.0,
        ..SOUND
    },
    Scenario {
        name: "4, all equal, 50 %",
        backends: 4,
        capacity: 4.0,
        load: 0.5,
        ..SOUND
    },
    Scenario {
        name: "2 of 4 slow, 70 %",
        backends: 4,
        capacity: 2.2,
        does: |place, _| Does::Take(if place < 2 { 100.0 } else { 10.0 }),
        ..SOUND
    },
    Scenario {
        name: "3 of 10 slow, 5 clients, 70 %",
        clients: 5,
        capacity: 7.3,
        does: |place, _| Does::Take(if place < 3 { 100.0 } else { 10.0 }),
        ..SOUND
    },
    Scenario {
        name: "2 of 4 slow",
        backends: 4,
        capacity: 2.2,
        load: 0.5,
        does: |place, _| Does::Take(if place < 2 { 100.0 } else { 10.0 }),
        ..SOUND
    },
    Scenario {
        name: "3 of 10 slow, 5 clients",
        clients: 5,
        capacity: 7.3,
        load: 0.5,
        does: |place, _| Does::Take(if place < 3 { 100.0 } else { 10.0 }),
        ..SOUND
    },
    Scenario {
        name: "3 of 10 fail at once",
        capacity: 7.0,
        does: |place, _| match place {
            0..3 => Does::Fail,
            _ => Does::Take(10.0),
        },
        ..SOUND
    },
];
