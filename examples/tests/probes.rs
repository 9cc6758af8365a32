//! Probes of WebTransport backends, on loopback.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::{echo, probes};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_connection::{Connector, Endpoint, Identity, Target, Trust};
use wt_health::event::Event;
use wt_health::probe::{Initial, Probes, TcpConnect};
use wt_health::snapshot::State;
use wt_health::{Ended, Monitor};

const PATIENCE: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_millis(20);

/// A server that echoes, where it is, and one who connects to it.
fn server() -> (Endpoint, Target, Connector) {
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let trust = Trust::hashes([identity.certificate_hash()]);
    let endpoint = Endpoint::server("127.0.0.1:0".parse().unwrap(), identity).unwrap();
    let target = Target::from(endpoint.local_address().unwrap());
    tokio::spawn(echo::serve(endpoint.clone()));
    let connector = Connector::new(Endpoint::client(trust).unwrap());
    (endpoint, target, connector)
}

/// Says whether a backend that starts down is found to be well.
async fn is_well(probes: Probes<Target>, target: &Target) -> bool {
    let probes = probes
        .fast_interval(SOON)
        .timeout(Duration::from_secs(3))
        .initial(Initial::Down);
    let monitor = Monitor::builder().probes(probes).build();
    let mut events = monitor.subscribe();
    let _layer = monitor.layer(target.clone());
    loop {
        match timeout(PATIENCE, events.next()).await.unwrap().unwrap() {
            Event::Restored { .. } => return true,
            Event::ProbeFailed { failures: 3.., .. } => return false,
            _ => {}
        }
    }
}

/// A port where nobody speaks QUIC, though somebody listens on TCP.
fn dead() -> (TcpListener, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::from(listener.local_addr().unwrap());
    (listener, target)
}

#[tokio::test]
async fn each_finds_a_server_that_is_well() {
    let (_endpoint, target, connector) = server();

    assert!(is_well(probes::handshake(connector.clone()), &target).await);
    assert!(is_well(probes::session(connector.clone(), "/echo"), &target).await);
    assert!(is_well(probes::datagram(connector.clone(), "/echo"), &target).await);
    let connection = connector.oneshot(target.clone()).await.unwrap();
    let ping = probes::ping(move |_: &Target| Some(connection.clone()));
    assert!(is_well(ping, &target).await);
}

#[tokio::test]
async fn each_finds_one_that_is_dead() {
    let (_listener, target) = dead();
    let (endpoint, served, connector) = server();
    let connection = connector.clone().oneshot(served).await.unwrap();
    endpoint.close(0, "").await;
    let connector = connector.connect_timeout(Duration::from_millis(100));

    assert!(!is_well(probes::handshake(connector.clone()), &target).await);
    assert!(!is_well(probes::session(connector.clone(), "/echo"), &target).await);
    assert!(!is_well(probes::datagram(connector, "/echo"), &target).await);
    let ping = probes::ping(move |_: &Target| Some(connection.clone()));
    assert!(!is_well(ping, &target).await);
    assert!(!is_well(probes::ping(|_: &Target| None), &target).await);
}

#[tokio::test]
async fn a_port_of_tcp_says_that_a_dead_server_is_well_if_one_asks_it() {
    let (listener, target) = dead();
    let address: SocketAddr = listener.local_addr().unwrap();
    let tcp = TcpConnect::new();
    let by_tcp = Probes::from_fn(move |_: Target| tcp.connect(address));
    let (_endpoint, _, connector) = server();
    let connector = connector.connect_timeout(Duration::from_millis(100));

    assert!(is_well(by_tcp, &target).await);
    assert!(!is_well(probes::handshake(connector), &target).await);
}

/// A backend was ejected, and its server is dead: only a probe that asks TCP would restore it.
#[tokio::test]
async fn an_ejected_backend_is_not_restored_while_its_server_is_dead() {
    let (_listener, target) = dead();
    let (_endpoint, _, connector) = server();
    let connector = connector.connect_timeout(Duration::from_millis(100));
    let probes = probes::handshake(connector).fast_interval(SOON);
    let monitor = Monitor::builder().probes(probes).build();
    let mut events = monitor.subscribe();
    let calls = service_fn(|()| async { Err::<(), _>("no") });
    let mut service = monitor.layer(target.clone()).layer(calls);
    for _ in 0..5 {
        service.ready().await.unwrap().call(()).await.unwrap_err();
    }

    let mut failed = 0;
    while failed < 3 {
        match timeout(PATIENCE, events.next()).await.unwrap().unwrap() {
            Event::ProbeFailed { .. } => failed += 1,
            Event::Ejected { .. } => {}
            event => panic!("{event:?}"),
        }
    }

    let state = monitor.state(&target);
    assert!(matches!(state, Some(State::Ejected { .. })), "{state:?}");
}

#[tokio::test]
async fn a_connection_is_watched_by_pings_until_it_is_over() {
    let (endpoint, target, connector) = server();
    let connection = connector.oneshot(target.clone()).await.unwrap();
    let connections = Arc::new(Mutex::new(HashMap::from([(target.clone(), connection)])));
    let found = Arc::clone(&connections);
    let find = move |target: &Target| found.lock().unwrap().get(target).cloned();
    let pings = probes::ping(find).interval(SOON).fall(1);
    let monitor = Monitor::builder().probes(pings).build();
    let mut watch = monitor.watch(target);
    let early = timeout(Duration::from_millis(200), &mut watch).await;
    assert!(early.is_err(), "{early:?}");

    endpoint.close(0, "that is all").await;
    let ended = timeout(PATIENCE, watch).await.unwrap();

    let Ended::Down(error) = ended else {
        panic!("{ended:?}");
    };
    let said = examples::causes(&*error);
    assert!(said.contains("the connection is over"), "{said}");
}
