//! What it allocates to lend a connection that is there, and to take it back.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Waker};

use allocation_counter::measure;
use tokio::runtime::Builder;
use tower::util::ServiceFn;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_pool::{Pool, PoolLayer};

type Answer<R> = Ready<Result<R, Infallible>>;
type Connection = ServiceFn<fn(u32) -> Answer<u32>>;
type Maker = ServiceFn<fn(u16) -> Answer<Connection>>;

#[test]
fn an_exclusive_hit_allocates_nothing() {
    assert_eq!(allocated(PoolLayer::new(2).layer(maker())), [0; 3]);
}

#[test]
fn a_shared_hit_allocates_nothing() {
    let layer = PoolLayer::new(2).shared(|_: &Connection| 100);

    assert_eq!(allocated(layer.layer(maker())), [0; 3]);
}

/// How often a thousand hits do: by checkouts of the pool and of a hinge, and by a hinge's calls.
fn allocated(mut pool: Pool<Maker, u16, u32>) -> [u64; 3] {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut hinge = pool.service(443);
    let hinges = hinge.clone();
    let mut by_pool = async |hits| {
        for _ in 0..hits {
            drop(pool.call(443).await.unwrap());
        }
    };
    let by_hinge = async |hits| {
        for _ in 0..hits {
            drop(hinges.checkout().await.unwrap());
        }
    };
    let mut by_call = async |hits| {
        for hit in 0..hits {
            hinge.ready().await.unwrap().call(hit).await.unwrap();
        }
    };
    runtime.block_on(async {
        // Not counted: what is set up once.
        by_pool(10).await;
        by_hinge(10).await;
        by_call(10).await;
        [
            counted(by_pool(1000)),
            counted(by_hinge(1000)),
            counted(by_call(1000)),
        ]
    })
}

/// How often it allocates; it has to wait for nothing.
fn counted(hits: impl Future<Output = ()>) -> u64 {
    let mut hits = pin!(hits);
    let info = measure(|| {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(hits.as_mut().poll(&mut cx).is_ready());
    });
    info.count_total
}

fn maker() -> Maker {
    service_fn(|_| ready(Ok(service_fn(|request| ready(Ok(request))))))
}
