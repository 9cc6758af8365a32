//! Code of a user's that panics harms nobody but who called it.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::task::{Context, Poll};

use common::{Backend, Failed, Key, World, ask, ask_times, discovery, settle};
use tower::discover::Change;
use tower::{Layer, Service};
use wt_balance::{Balance, BalanceLayer, Outcome, Pick, Policy, Random, View, Weighted};

/// Whether it is time to panic.
#[derive(Clone, Debug, Default)]
struct Fuse(Arc<AtomicBool>);

impl Fuse {
    fn set(&self, lit: bool) {
        self.0.store(lit, Ordering::SeqCst);
    }

    fn burn(&self) {
        assert!(!self.0.load(Ordering::SeqCst), "a panic on purpose");
    }
}

/// Runs what panics, without the noise.
fn panics(act: impl FnOnce()) -> bool {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    // Once, and for this thread alone: other tests run at the same time.
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    QUIET.set(false);
    result.is_err()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap().block_on(future)
}

#[derive(Clone)]
struct Burning<P>(Fuse, P);

impl<P: Policy<u32>> Policy<u32> for Burning<P> {
    fn pick(&self, view: &View<'_>, request: Option<&u32>) -> Pick {
        let picked = self.1.pick(view, request);
        self.0.burn();
        picked
    }
}

#[test]
fn a_policy_that_panics_does_not_take_the_set_down() {
    let fuse = Fuse::default();
    let policy = Burning(fuse.clone(), Random::default());
    let layer = BalanceLayer::new(["a", "b"]).policy(policy);
    let mut balance = layer.layer(World::default().maker());
    block_on(ask_times(&mut balance, 4));

    fuse.set(true);
    assert!(panics(|| drop(block_on(ask(&mut balance)))));
    fuse.set(false);

    // The same instance, a clone, and another policy all go on.
    assert!(block_on(ask(&mut balance)).is_ok());
    assert!(block_on(ask(&mut balance.clone())).is_ok());
    assert!(block_on(ask(&mut balance.clone().policy(Weighted::new()))).is_ok());
    layer.targets().insert("c");
    assert_eq!(balance.snapshot().known, 3);
    assert_eq!(balance.snapshot().in_flight, 0);
}

/// Panics when it is cloned, asked or called, if it is time to.
#[derive(Debug)]
struct Fragile {
    inner: Backend,
    on_clone: Fuse,
    on_ready: Fuse,
    on_call: Fuse,
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        self.on_clone.burn();
        Self {
            inner: self.inner.clone(),
            on_clone: self.on_clone.clone(),
            on_ready: self.on_ready.clone(),
            on_call: self.on_call.clone(),
        }
    }
}

impl Service<u32> for Fragile {
    type Response = Key;
    type Error = Failed;
    type Future = <Backend as Service<u32>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.on_ready.burn();
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.on_call.burn();
        self.inner.call(request)
    }
}

#[test]
fn a_backend_that_panics_does_not_take_the_set_down() {
    let fuses = [Fuse::default(), Fuse::default(), Fuse::default()];
    let of_maker = fuses.clone();
    let maker = World::default().maker();
    let layer = BalanceLayer::new(["a"]);
    let mut balance = layer.layer(move |key| Fragile {
        inner: maker(key),
        on_clone: of_maker[0].clone(),
        on_ready: of_maker[1].clone(),
        on_call: of_maker[2].clone(),
    });

    for fuse in &fuses {
        fuse.set(true);
        // In a `clone`, that is under the lock of the backend.
        assert!(panics(|| drop(block_on(ask(&mut balance)))));
        fuse.set(false);

        assert!(block_on(ask(&mut balance)).is_ok());
        assert!(block_on(ask(&mut balance.clone())).is_ok());
        assert!(balance.set_weight(&"a", 1));
        layer.targets().insert("b");
        layer.targets().remove(&"b");
        assert_eq!(balance.snapshot().in_flight, 0);
    }
}

#[test]
fn a_classifier_that_panics_ends_its_call_alone() {
    let fuse = Fuse::default();
    let burning = fuse.clone();
    let classify = move |_: Result<&Key, &Failed>| {
        burning.burn();
        Outcome::Success
    };
    let layer = BalanceLayer::new(["a"]).classify(classify);
    let mut balance = layer.layer(World::default().maker());

    fuse.set(true);
    assert!(panics(|| drop(block_on(ask(&mut balance)))));
    fuse.set(false);

    assert!(block_on(ask(&mut balance)).is_ok());
    assert_eq!(balance.snapshot().in_flight, 0);
}

/// Its task ends; what was known stays.
#[test]
fn a_discovery_that_panics_leaves_what_was_known() {
    struct Breaking(common::Stream<Backend>, Fuse);
    impl futures_core::Stream for Breaking {
        type Item = Result<Change<Key, Backend>, tower::BoxError>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            self.1.burn();
            std::pin::Pin::new(&mut self.0).poll_next(cx)
        }
    }
    let fuse = Fuse::default();
    let world = World::default();
    block_on(async {
        let (changes, stream) = discovery();
        let mut balance = Balance::new(Breaking(stream, fuse.clone()));
        let insert = Change::Insert("a", world.backend("a"));
        changes.send(Ok(insert)).await.unwrap();
        settle().await;

        fuse.set(true);
        changes.send(Ok(Change::Remove("a"))).await.unwrap();
        settle().await;

        assert_eq!(ask(&mut balance).await.unwrap(), "a");
    });
}
