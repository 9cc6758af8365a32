use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use crate::call::Own;
use crate::cell::Cell;
use crate::judge::Judge;

/// By which somebody has a backend, until it ends, at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) own: Arc<Own>,
    pub(crate) number: u64,
    pub(crate) judge: Arc<dyn Judge>,
    _alive: Alive,
}

/// The monitor's task, which ends with the last of these.
pub(crate) type Alive = Arc<AbortOnDropHandle<()>>;

impl Handle {
    pub(crate) fn new(cell: Arc<Cell>, number: u64, judge: Arc<dyn Judge>, alive: &Alive) -> Self {
        Self {
            own: Arc::new(Own(cell)),
            number,
            judge,
            _alive: Arc::clone(alive),
        }
    }

    /// Nobody has the backend by this any more, who still has it or not.
    pub(crate) fn end(&self) {
        self.judge.release(self.cell().id, self.number);
    }

    #[inline]
    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.own.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
