use std::sync::Arc;

/// A connection with many borrowers.
pub(crate) trait Shared<C>: Send + Sync {
    fn connection(&self) -> &C;
    /// Makes one handle more, and tells how many there may be now.
    fn lend(&self, handle: &mut Option<C>) -> usize;
    /// How many may use it at once, now.
    fn capacity(&self) -> usize;
}

/// A connection with many borrowers, and how many there may be.
pub(crate) struct Lent<C, F> {
    pub(crate) connection: C,
    pub(crate) capacity: Arc<F>,
}

impl<C, F> Shared<C> for Lent<C, F>
where
    C: Clone + Send + Sync,
    F: Fn(&C) -> usize + Send + Sync,
{
    fn connection(&self) -> &C {
        &self.connection
    }

    fn lend(&self, handle: &mut Option<C>) -> usize {
        *handle = Some(self.connection.clone());
        self.capacity()
    }

    fn capacity(&self) -> usize {
        (self.capacity)(&self.connection)
    }
}
