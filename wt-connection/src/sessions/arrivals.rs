use tokio::sync::Notify;

use crate::lock::Lock;
use crate::wait;

/// Lets a session wait until the connection's driver has placed all that has arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    turns: Lock<Turns>,
    asked: Notify,
    told: Notify,
}

#[derive(Debug, Default)]
struct Turns {
    /// How often somebody has asked to be told.
    asked: u64,
    /// Up to which time of asking everybody has been told.
    told: u64,
}

impl Arrivals {
    /// Waits until everything is placed that has arrived before this call.
    pub(crate) async fn placed(&self) {
        let turn = self.turns.lock().ask();
        self.asked.notify_one();
        wait::until(&self.told, || {
            (self.turns.lock().told >= turn).then_some(())
        })
        .await;
    }

    /// Waits until somebody asks; everybody up to the turn that it gives can be told at once.
    pub(crate) async fn asked(&self) -> u64 {
        wait::until(&self.asked, || self.turns.lock().open()).await
    }

    pub(crate) fn tell(&self, turn: u64) {
        self.turns.lock().tell(turn);
        self.told.notify_waiters();
    }

    /// Lets nobody wait any more: nothing else will be placed.
    pub(crate) fn close(&self) {
        self.tell(u64::MAX);
    }
}

impl Turns {
    fn ask(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    fn open(&self) -> Option<u64> {
        (self.asked > self.told).then_some(self.asked)
    }

    fn tell(&mut self, turn: u64) {
        self.told = self.told.max(turn);
    }
}
