//! Connecting over TCP, on loopback.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::HashMap;
use std::future::ready;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use futures_core::Stream;
use tower::{Layer, ServiceExt, service_fn};
use wt_health::Monitor;
use wt_health::event::{Event, Reason};
use wt_health::probe::{ConnectAll, ConnectError, Probes, TcpConnect};

use common::{MOMENT, SECOND, calls};

/// One where somebody listens, and one where nobody does.
fn addresses() -> (TcpListener, SocketAddr, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let (open, closed) = (listener.local_addr().unwrap(), closed.local_addr().unwrap());
    (listener, open, closed)
}

#[tokio::test]
async fn it_connects_where_somebody_listens() {
    let (_listener, open, closed) = addresses();

    assert!(TcpConnect::new().connect(open).await.unwrap() < Duration::from_secs(10));
    let refused = TcpConnect::new().connect(closed).await;

    assert!(matches!(refused, Err(ConnectError::Io(_))), "{refused:?}");
}

#[tokio::test]
async fn names_and_addresses_of_both_families_are_targets() {
    let (_listener, open, _) = addresses();
    let tcp = TcpConnect::new();
    tcp.connect(("localhost", open.port())).await.unwrap();
    tcp.connect(format!("127.0.0.1:{}", open.port()))
        .await
        .unwrap();

    // Not every machine has it.
    if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        let address = listener.local_addr().unwrap();
        tcp.connect(address.to_string()).await.unwrap();
    }

    assert!(tcp.connect("not an address").await.is_err());
}

/// One whose queue of connections to be accepted is full, so that it answers nobody.
#[cfg(target_os = "linux")]
fn full() -> (socket2::Socket, Vec<std::net::TcpStream>, SocketAddr) {
    use socket2::{Domain, Socket, Type};

    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&anywhere.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let patience = Duration::from_millis(100);
    let connect = || std::net::TcpStream::connect_timeout(&address, patience).ok();
    (
        listener,
        std::iter::from_fn(connect).take(16).collect(),
        address,
    )
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_gives_up_after_its_timeout() {
    let (_listener, queue, address) = full();
    assert!(queue.len() < 16, "the queue has no end");
    let tcp = TcpConnect::new().timeout(Duration::from_millis(50));

    let result = tcp.connect(address).await;

    assert!(matches!(result, Err(ConnectError::TimedOut)), "{result:?}");
}

#[tokio::test]
async fn it_is_a_service() {
    let (_listener, open, _) = addresses();

    TcpConnect::new().oneshot(open).await.unwrap();
}

#[tokio::test]
async fn many_have_each_its_own_result() {
    let (_listener, open, closed) = addresses();
    let nowhere = "not an address".to_owned();
    let targets = [
        open.to_string(),
        closed.to_string(),
        nowhere,
        open.to_string(),
    ];

    let mut all = TcpConnect::new().connect_all(targets).at_once(2);
    let mut results: HashMap<String, Vec<bool>> = HashMap::new();
    while let Some((target, result)) = all.next().await {
        results.entry(target).or_default().push(result.is_ok());
    }

    assert_eq!(results[&open.to_string()], [true, true]);
    assert_eq!(results[&closed.to_string()], [false]);
    assert_eq!(results["not an address"], [false]);
}

#[tokio::test]
async fn none_are_no_result() {
    let targets: [SocketAddr; 0] = [];

    assert!(
        TcpConnect::new()
            .connect_all(targets)
            .next()
            .await
            .is_none()
    );
}

#[test]
fn many_are_a_stream() {
    fn stream<S: Stream<Item = (SocketAddr, Result<Duration, ConnectError>)> + Send>() {}

    stream::<ConnectAll<SocketAddr>>();
}

#[test]
#[should_panic(expected = "nobody would ever be connected to")]
fn none_at_once_is_refused() {
    let _ = TcpConnect::new().connect_all(["127.0.0.1:1"]).at_once(0);
}

#[tokio::test(start_paused = true)]
async fn a_port_of_tcp_restores_nobody_unless_it_was_chosen() {
    // Somebody listens on TCP, and the service itself is dead.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dead = || service_fn(|_| ready(Err::<(), _>(common::Failed)));
    let tcp = Probes::new(TcpConnect::new());
    let own = Probes::new(dead());
    tokio::time::resume();

    for (probes, restored) in [(tcp, true), (own, false)] {
        let probes = probes.fast_interval(10 * MOMENT);
        let monitor = Monitor::builder().probes(probes).build();
        let mut events = monitor.subscribe();
        let mut service = monitor
            .layer(address)
            .layer(service_fn(|()| async { Err::<(), _>(common::Failed) }));
        calls(&mut service, 5).await;
        let event = events.next().await;
        let consecutive = Reason::Consecutive;
        assert!(matches!(event, Some(Event::Ejected { reason, .. }) if reason == consecutive));

        let restoring = async {
            loop {
                if let Some(Event::Restored { .. }) = events.next().await {
                    return;
                }
            }
        };
        let patience = if restored { 20 * SECOND } else { SECOND / 2 };
        let found = tokio::time::timeout(patience, restoring).await;

        assert_eq!(found.is_ok(), restored);
    }
}
