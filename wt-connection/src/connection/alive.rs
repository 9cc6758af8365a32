use std::sync::Arc;

use crate::connection::Core;

/// What the handles of one connection share: while it lives, so does the connection.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.released.cancel();
    }
}
