use std::future::poll_fn;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, MakeService};

use crate::common::Common;
use crate::home::{Home, Owner};
use crate::keeper::Keeper;
use crate::targets::Targets;

/// What the handles of one pool share; with the last of them, the pool closes.
pub(crate) struct Owned<M, T, Req>
where
    M: MakeService<T, Req>,
{
    maker: Arc<M>,
    pub(crate) targets: Arc<Targets<T, M::Service>>,
    /// Ends the keepers.
    gone: CancellationToken,
    this: Weak<Self>,
    _request: PhantomData<fn(Req)>,
}

impl<M, T, Req> Owned<M, T, Req>
where
    M: MakeService<T, Req>,
{
    pub(crate) fn new(maker: M, common: Common<M::Service>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            maker: Arc::new(maker),
            targets: Arc::new(Targets::new(Arc::new(common))),
            gone: CancellationToken::new(),
            this: Weak::clone(this),
            _request: PhantomData,
        })
    }

    pub(crate) fn let_go(&self, home: &Arc<Home<M::Service>>) {
        home.release();
        self.targets.forget(home, false);
    }
}

impl<M, T, Req> Owned<M, T, Req>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    T: Clone + Eq + Hash + Send + Sync + 'static,
    Req: 'static,
{
    pub(crate) fn home(&self, target: &T) -> Arc<Home<M::Service>> {
        let owner = || Weak::clone(&self.this) as Weak<dyn Owner<M::Service>>;
        self.targets.find_or_add(target, owner)
    }

    /// The home of a target, not to be forgotten until it is let go.
    pub(crate) fn hold(&self, target: &T) -> Arc<Home<M::Service>> {
        loop {
            let home = self.home(target);
            if home.hold() {
                return home;
            }
        }
    }
}

impl<M, T, Req> Owner<M::Service> for Owned<M, T, Req>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    T: Clone + Send + Sync + 'static,
    Req: 'static,
{
    fn keep(&self, home: &Arc<Home<M::Service>>) {
        if home.stock.lock().kept {
            return;
        }
        // Panics here, if at all, while nobody relies on the keeper yet.
        let runtime = Handle::current();
        let Some(target) = self.targets.target(home) else {
            return;
        };
        if std::mem::replace(&mut home.stock.lock().kept, true) {
            return;
        }
        let maker = Arc::clone(&self.maker);
        let connect = move || connect(Arc::clone(&maker), Arc::clone(&target));
        let keeper = Keeper::new(Arc::clone(&self.targets), Arc::clone(home), connect);
        let gone = self.gone.clone();
        runtime.spawn(async move { gone.run_until_cancelled(keeper.run()).await });
    }

    fn forget(&self, home: &Arc<Home<M::Service>>) {
        self.targets.forget(home, false);
    }
}

/// The maker that is ready is the one that is called.
async fn connect<M, T, Req>(maker: Arc<M>, target: Arc<T>) -> Result<M::Service, M::MakeError>
where
    M: MakeService<T, Req> + Clone,
    T: Clone,
{
    let mut maker = M::clone(&maker);
    poll_fn(|cx| maker.poll_ready(cx)).await?;
    maker.make_service(T::clone(&target)).await
}

impl<M, T, Req> Drop for Owned<M, T, Req>
where
    M: MakeService<T, Req>,
{
    fn drop(&mut self) {
        self.targets.close();
        self.gone.cancel();
    }
}
