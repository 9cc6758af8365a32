use tokio::sync::watch;

/// Lets a session wait until the connection's driver has placed all that has arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// How often somebody has asked to be told.
    asked: watch::Sender<u64>,
    /// Up to which time of asking everybody has been told.
    told: watch::Sender<u64>,
}

impl Arrivals {
    /// Waits until everything is placed that has arrived before this call.
    pub(crate) async fn placed(&self) {
        let mut turn = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            turn = *asked;
        });
        // The sender lives as long as `self`.
        let _ = self.told.subscribe().wait_for(|told| *told >= turn).await;
    }

    /// Waits until somebody asks; everybody up to the turn that it gives can be told at once.
    pub(crate) async fn asked(&self) -> u64 {
        let mut asked = self.asked.subscribe();
        loop {
            let turn = *asked.borrow_and_update();
            if turn > *self.told.borrow() {
                return turn;
            }
            // The sender lives as long as `self`.
            let _ = asked.changed().await;
        }
    }

    pub(crate) fn tell(&self, turn: u64) {
        self.told.send_modify(|told| *told = turn.max(*told));
    }

    /// Lets nobody wait any more: nothing else will be placed.
    pub(crate) fn close(&self) {
        self.tell(u64::MAX);
    }
}
