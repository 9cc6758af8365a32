use std::fmt;
use std::panic::{self, AssertUnwindSafe};

/// What is kept until something is over. Its drop is somebody else's code.
#[derive(Default)]
#[must_use = "guards are dropped outside of the lock"]
pub(crate) struct Guards(Vec<Box<dyn Send>>);

impl Guards {
    pub(crate) fn push(&mut self, guard: Box<dyn Send>) {
        self.0.push(guard);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops each; the panic of one keeps nobody from the others.
    pub(crate) fn release(self) {
        for guard in self.0 {
            let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(guard)));
        }
    }
}

impl From<Box<dyn Send>> for Guards {
    fn from(guard: Box<dyn Send>) -> Self {
        Self(vec![guard])
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} guards", self.0.len())
    }
}
