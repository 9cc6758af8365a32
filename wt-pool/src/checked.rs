use std::sync::Arc;

use crate::caught::caught;
use crate::home::{Home, bury};
use crate::lease::{Item, Lease};
use crate::slots::Key;
use crate::stats::Reason;

/// A connection that is looked at, and lent to nobody meanwhile if it is exclusive; it is closed if
/// the look ends without a verdict.
pub(crate) struct Checked<C> {
    home: Arc<Home<C>>,
    key: Key,
    item: Option<Item<C>>,
    /// Why it is closed, unless it is put back.
    otherwise: Reason,
}

impl<C> Checked<C> {
    /// Takes one out of the stock; `None` if it is gone, or somebody has it.
    pub(crate) fn out(home: &Arc<Home<C>>, key: Key) -> Option<Self> {
        let item = home.stock.lock().check_out(key)?;
        Some(Self::new(home, key, item))
    }

    pub(crate) fn new(home: &Arc<Home<C>>, key: Key, item: Item<C>) -> Self {
        Self {
            home: Arc::clone(home),
            key,
            item: Some(item),
            otherwise: Reason::Invalid,
        }
    }

    pub(crate) fn lease(&mut self) -> &mut Lease<C> {
        self.item.as_mut().expect("it is there until the verdict")
    }

    pub(crate) fn connection(&self) -> &C {
        let item = self.item.as_ref();
        item.expect("it is there until the verdict").connection()
    }

    pub(crate) fn put_back(mut self) {
        if let Some(item) = self.item.take() {
            let (gone, suspects) = self.home.change(|stock| {
                let gone = stock.check_in(self.key, item);
                (gone, stock.has_suspects())
            });
            if suspects || gone.is_some() {
                self.home.rouse.notify_one();
            }
            bury(gone);
            self.home.offer_room();
        }
    }

    pub(crate) fn validated(mut self) {
        if let Some(item) = self.item.take() {
            let now = tokio::time::Instant::now();
            bury(
                self.home
                    .change(|stock| stock.validated(self.key, item, now)),
            );
            self.home.offer_room();
        }
    }

    pub(crate) fn close(mut self, reason: Reason) {
        self.otherwise = reason;
    }
}

impl<C> Drop for Checked<C> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            caught(|| drop(item));
            self.home.close_looked_at(self.key, self.otherwise);
        }
    }
}
