//! The path below is as bad as can be, and everything is delivered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use examples::stack::{DEADLINE, echo, stack};
use tokio::time::sleep;
use wt_connection::{ConnectionId, Connections, Limits, Target};

use crate::fleet::{beside, eventually};
use crate::load::Load;
use crate::local::Local;
use crate::relay::{Befallen, Relay};

#[tokio::test]
async fn all_is_delivered_over_a_path_that_loses_delays_overtakes_doubles_ends_and_moves() {
    let _beside = beside().await;
    let local = Local::start(2, Limits::default());
    let mut relays = Vec::new();
    for (seed, target) in (1..).zip(&local.targets) {
        let server = target.to_string().parse().unwrap();
        relays.push(Relay::to(server, seed).await);
    }
    let targets: Vec<Target> = relays.iter().map(|relay| relay.address.into()).collect();
    let stack = stack(local.connector(), targets, echo);
    let load = Load::of(CALLERS, &stack.client);
    load.goes_on(60).await;

    // Each connection goes on from another address.
    let before = peers(&local);
    assert!(!before.is_empty());
    for relay in &relays {
        relay.migrate().await;
    }
    load.goes_on(60).await;
    eventually("a connection of each server has moved", || {
        let after = peers(&local);
        let moved = |(server, id): &(usize, ConnectionId), address: &SocketAddr| {
            after.get(&(*server, *id)).is_some_and(|now| now != address)
        };
        let mut moved_to: Vec<_> = before
            .iter()
            .filter(|(peer, address)| moved(peer, address))
            .map(|((server, _), _)| *server)
            .collect();
        moved_to.sort_unstable();
        moved_to.dedup();
        moved_to.len() == servers(&before)
    })
    .await;

    // Nothing that is sent arrives for two seconds; what was under way has arrived after the first
    // quarter of it.
    for relay in &relays {
        relay.black_out(true);
    }
    sleep(BLACK_OUT / 4).await;
    let answered = load.answered();
    sleep(BLACK_OUT * 3 / 4).await;
    let in_the_dark = load.answered() - answered;
    for relay in &relays {
        relay.black_out(false);
    }
    load.goes_on(100).await;

    assert_eq!(load.failures(), [""; 0]);
    let slowest = load.slowest();
    assert!(slowest < DEADLINE, "a call took {slowest:?}");
    // One for each caller, should this machine have been late.
    assert!(in_the_dark <= CALLERS as u64, "{in_the_dark} were answered");
    // How many packets there are on each path is the balancer's to say.
    let kinds: [fn(&Befallen) -> &AtomicU64; 4] = [
        |all| &all.lost,
        |all| &all.swallowed,
        |all| &all.doubled,
        |all| &all.overtaken,
    ];
    let befallen: Vec<_> = relays.iter().map(|relay| &*relay.befallen).collect();
    for kind in kinds {
        let packets = befallen.iter().map(|all| kind(all).load(Ordering::Relaxed));
        assert!(packets.sum::<u64>() > 0, "{befallen:?}");
    }
}

/// Where each connection comes from, as the servers see it.
fn peers(local: &Local) -> HashMap<(usize, ConnectionId), SocketAddr> {
    let servers = local.connections.iter().map(Connections::all);
    let peers = servers.enumerate().flat_map(|(server, connections)| {
        let peers = connections.into_iter();
        peers.map(move |peer| ((server, peer.id()), peer.remote_address()))
    });
    peers.collect()
}

/// How many servers have connections.
fn servers(peers: &HashMap<(usize, ConnectionId), SocketAddr>) -> usize {
    let mut servers: Vec<_> = peers.keys().map(|(server, _)| *server).collect();
    servers.sort_unstable();
    servers.dedup();
    servers.len()
}

const CALLERS: usize = 4;
const BLACK_OUT: Duration = Duration::from_secs(2);
