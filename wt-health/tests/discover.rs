//! Discovered backends, under tower's own balancer.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tower::balance::p2c::Balance;
use tower::discover::Change;
use tower::load::{CompleteOnResponse, PendingRequestsDiscover};
use tower::{Service, ServiceExt};
use wt_health::probe::Probes;
use wt_health::snapshot::State;
use wt_health::{HealthDiscover, Monitor, Outcome};

use common::{Backend, Failed, Key, Prober, SECOND, calls, is_ejected, monitor, pass, settle};

/// Changes as they are sent.
struct Changes(Receiver<Change<Key, Backend>>);

impl Stream for Changes {
    type Item = Result<Change<Key, Backend>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|change| change.map(Ok))
    }
}

fn changes() -> (Sender<Change<Key, Backend>>, Changes) {
    let (sender, receiver) = channel(100);
    (sender, Changes(receiver))
}

async fn insert(sender: &Sender<Change<Key, Backend>>, key: Key, backend: &Backend) {
    sender
        .send(Change::Insert(key, backend.clone()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_balancer_routes_round_an_ejected_backend_until_it_is_well() {
    let monitor = monitor();
    let (sender, changes) = changes();
    let backends = [Backend::new(), Backend::failing(), Backend::new()];
    for (key, backend) in ["a", "b", "c"].into_iter().zip(&backends) {
        insert(&sender, key, backend).await;
    }
    let discover = monitor.discover(changes);
    let discover = PendingRequestsDiscover::new(discover, CompleteOnResponse::default());
    let mut client = Balance::new(discover);

    calls(&mut client, 300).await;
    assert!(is_ejected(&monitor, "b"));
    assert_eq!(backends[1].calls(), 5);
    assert!(backends[0].calls() > 100 && backends[2].calls() > 100);

    backends[1].fail(false);
    pass(30 * SECOND).await;
    for _ in 0..300 {
        client.ready().await.unwrap().call(()).await.unwrap();
    }
    assert_eq!(monitor.state(&"b"), Some(State::Up));
    assert!(backends[1].calls() > 50);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_with_all_ejected_waits_and_goes_on() {
    let monitor = common::strict().build();
    let (sender, changes) = changes();
    let backends = [Backend::failing(), Backend::failing()];
    insert(&sender, "a", &backends[0]).await;
    insert(&sender, "b", &backends[1]).await;
    let discover = monitor.discover(changes);
    let discover = PendingRequestsDiscover::new(discover, CompleteOnResponse::default());
    let mut client = Balance::new(discover);
    while !(is_ejected(&monitor, "a") && is_ejected(&monitor, "b")) {
        calls(&mut client, 1).await;
    }
    backends.iter().for_each(|backend| backend.fail(false));

    client.ready().await.unwrap().call(()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn those_that_are_discovered_are_probed_until_they_are_removed() {
    let prober = Prober::default();
    let probes = Probes::from_fn(prober.probe()).jitter(0.0).unused(None);
    let monitor = Monitor::builder().probes(probes).build();
    let (sender, changes) = changes();
    let mut discover = monitor.discover(changes);
    insert(&sender, "a", &Backend::new()).await;
    let change = next(&mut discover).await;
    let Change::Insert("a", service) = change else {
        panic!("it is inserted");
    };
    pass(10 * SECOND).await;
    assert_eq!(prober.take().len(), 3);

    sender.send(Change::Remove("a")).await.unwrap();
    assert!(matches!(next(&mut discover).await, Change::Remove("a")));
    settle().await;

    // Somebody still has a clone of the service.
    pass(1000 * SECOND).await;
    assert_eq!(prober.take(), []);
    assert_eq!(monitor.snapshot().had, 0);
    drop(service);
}

#[tokio::test(start_paused = true)]
async fn what_leaves_one_discovery_stays_by_another_and_by_a_layer() {
    let prober = Prober::default();
    let probes = Probes::from_fn(prober.probe()).jitter(0.0).unused(None);
    let monitor = Monitor::builder().probes(probes).build();
    let layer = monitor.layer("a");
    let [mut first, mut second] = [(); 2].map(|()| {
        let (sender, changes) = changes();
        (sender, monitor.discover(changes))
    });
    let mut services = Vec::new();
    for (sender, discover) in [&mut first, &mut second] {
        insert(sender, "a", &Backend::failing()).await;
        let Change::Insert(_, service) = next(discover).await else {
            panic!("it is inserted");
        };
        services.push(service);
    }
    let watch = tokio::spawn(monitor.watch("a"));
    let leave = async |(sender, discover): &mut (Sender<_>, HealthDiscover<Changes>)| {
        sender.send(Change::Remove("a")).await.unwrap();
        next(discover).await;
    };

    leave(&mut first).await;
    settle().await;
    assert!(!watch.is_finished(), "it was not removed");
    watch.abort();
    drop(layer);
    pass(100 * SECOND).await;
    assert!(prober.take().len() > 3, "it is probed");
    calls(&mut services[1], 5).await;
    assert!(is_ejected(&monitor, "a"), "it is judged");

    leave(&mut second).await;
    prober.take();
    pass(100 * SECOND).await;
    assert_eq!((prober.take().len(), monitor.snapshot().had), (0, 0));
    assert!(services.iter().all(wt_health::Health::is_open));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_inserted_again_has_one_lease() {
    let monitor = monitor();
    let (sender, changes) = changes();
    let mut discover = monitor.discover(changes);
    let mut services = Vec::new();
    for _ in 0..3 {
        insert(&sender, "a", &Backend::new()).await;
        services.push(next(&mut discover).await);
    }
    assert_eq!(monitor.snapshot().had, 1);

    sender.send(Change::Remove("a")).await.unwrap();
    next(&mut discover).await;

    assert_eq!(monitor.snapshot().had, 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_discovered_anew_is_as_it_was() {
    let monitor = monitor();
    let (sender, changes) = changes();
    let mut discover = monitor.discover(changes);
    insert(&sender, "a", &Backend::failing()).await;
    let Change::Insert(_, mut service) = next(&mut discover).await else {
        panic!("it is inserted");
    };
    calls(&mut service, 5).await;
    sender.send(Change::Remove("a")).await.unwrap();
    next(&mut discover).await;
    insert(&sender, "a", &Backend::new()).await;

    let Change::Insert(_, service) = next(&mut discover).await else {
        panic!("it is inserted");
    };

    assert!(!service.is_open());
    assert!(is_ejected(&monitor, "a"));
}

#[tokio::test(start_paused = true)]
async fn its_services_have_its_classifier_and_know_what_is_overdue() {
    let monitor = common::strict().build();
    let (sender, changes) = changes();
    let well = |_: Result<&(), &Failed>| Outcome::Success;
    let mut discover = monitor
        .discover(changes)
        .classify(well)
        .overdue(Some(SECOND));
    insert(&sender, "a", &Backend::failing()).await;
    insert(&sender, "b", &Backend::silent()).await;
    let Change::Insert(_, mut failing) = next(&mut discover).await else {
        panic!("it is inserted");
    };
    let Change::Insert(_, mut silent) = next(&mut discover).await else {
        panic!("it is inserted");
    };

    calls(&mut failing, 10).await;
    for _ in 0..5 {
        let call = silent.ready().await.unwrap().call(());
        let _ = tokio::time::timeout(SECOND, call).await;
    }

    assert!(!is_ejected(&monitor, "a") && is_ejected(&monitor, "b"));
}

async fn next<C: Clone>(
    discover: &mut HealthDiscover<Changes, C>,
) -> Change<Key, wt_health::Health<Backend, C>> {
    let mut discover = Pin::new(discover);
    let next = std::future::poll_fn(|cx| discover.as_mut().poll_next(cx));
    next.await.unwrap().unwrap()
}
