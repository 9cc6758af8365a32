//! What can only be let go of with the whole connection: so much of it, and the connection drains.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use common::bounded::within;
use common::hostile::code;
use common::raw::{self, H3_REQUEST_CANCELLED, H3_REQUEST_REJECTED, Raw};
use common::serve::{Served, reply};
use common::{LOOPBACK, address, bare, connected, session};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wt_connection::{ConnectionState, Upgrade};

const GOAWAY: u64 = 0x07;
const AT_ONCE: usize = 64;

#[tokio::test]
async fn a_client_that_resets_connects_and_reads_on_is_drained_in_time() {
    // Of each something was kept as long as the connection.
    let (served, mut begun) = waiting();
    let peer = served.raw().await;
    let drained = Arc::<AtomicBool>::default();
    let mut control = peer.quic.accept_uni().await.unwrap();
    let told = Arc::clone(&drained);
    tokio::spawn(async move {
        raw::read_settings(&mut control).await;
        while raw::read_frame(&mut control).await.0 != GOAWAY {}
        told.store(true, Ordering::Relaxed);
    });

    let drain = async {
        while !drained.load(Ordering::Relaxed) {
            give_up(&peer.quic, &mut begun).await;
        }
    };

    timeout(Duration::from_secs(60), drain).await.unwrap();
}

#[tokio::test]
async fn a_client_that_can_be_told_nothing_is_refused_in_time() {
    // Its control stream has room for SETTINGS, and none for the GOAWAY.
    let (served, mut begun) = waiting();
    let mut config = bare::client_config(served.identity.certificate_chain()[0].clone());
    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window(69_u8.into());
    config.transport_config(transport.into());
    let socket = quinn::Endpoint::client(LOOPBACK.parse().unwrap()).unwrap();
    let connecting = socket.connect_with(config, address(&served.endpoint), "localhost");
    let peer = raw::start(connecting.unwrap().await.unwrap(), socket, &raw::ENABLED).await;

    let refused = async {
        let mut ends = Vec::new();
        while !ends.contains(&Some(H3_REQUEST_REJECTED)) {
            ends = give_up(&peer.quic, &mut begun).await;
        }
    };
    timeout(Duration::from_secs(60), refused).await.unwrap();

    let ends = give_up(&peer.quic, &mut begun).await;
    assert_eq!(ends, [Some(H3_REQUEST_REJECTED); AT_ONCE]);
}

/// A peer can bring that about: who passes on what another sends resets what that one does.
#[tokio::test]
async fn streams_that_are_reset_after_a_wait_for_their_stop_drain_their_connection() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        tokio::spawn(async move { while accepted.accept_uni().await.is_ok() {} });

        let mut given_up = 0;
        while pair.client.state() == ConnectionState::Connected {
            let mut stream = opened.open_uni().await.unwrap();
            let stopped = tokio::select! {
                biased;
                stopped = stream.stopped() => Some(stopped),
                () = async {} => None,
            };
            assert!(stopped.is_none(), "{stopped:?}");
            stream.reset(1).unwrap();
            given_up += 1;
            assert!(given_up < 5_000, "not drained");
        }

        assert_eq!(pair.client.state(), ConnectionState::Draining);
    })
    .await;
}

#[test]
fn streams_that_outlive_their_session_take_no_more_than_the_window() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (_served, peer) = runtime.block_on(async {
        let served = Served::by(|mut request| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            let session = upgrade.session();
            // It accepts no stream, and drops its session when that is over.
            upgrade.spawn(async move { drop(session.await.unwrap().closed().await) });
            async { Ok(reply("")) }
        });
        let peer = served.raw().await;
        (served, peer)
    });
    let sessions = |count| {
        runtime.block_on(within(async {
            for _ in 0..count {
                leave_streams(&peer).await;
            }
        }));
    };
    sessions(5);

    let allocated = measure(|| sessions(40));

    // 16 MB have passed.
    let (most, rest) = (allocated.bytes_max, allocated.bytes_current);
    assert!(most < 4 << 20, "{most} bytes");
    assert!(rest < 1 << 20, "{rest} bytes");
}

/// Opens a session, has it end with streams that nobody has accepted, and waits for its end.
async fn leave_streams(peer: &Raw) {
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(&raw::connect("/")).await.unwrap();
    assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
    for _ in 0..4 {
        let mut stream = peer.uni(send.id().into(), &[7; 100_000]).await;
        stream.finish().unwrap();
    }
    send.finish().unwrap();
    assert_eq!(recv.read_to_end(10).await.unwrap(), b"");
}

/// Has requests for sessions begin, resets them, and reads how the other side ends each.
async fn give_up(quic: &quinn::Connection, begun: &mut mpsc::Receiver<()>) -> Vec<Option<u64>> {
    let go = CancellationToken::new();
    let mut asking = JoinSet::new();
    for _ in 0..AT_ONCE {
        asking.spawn(ask(quic.clone(), go.clone()));
    }
    let mut ends = Vec::new();
    for _ in 0..AT_ONCE {
        tokio::select! {
            Some(()) = begun.recv() => {}
            Some(refused) = asking.join_next() => ends.push(refused.unwrap()),
        }
    }
    go.cancel();
    ends.extend(asking.join_all().await);
    ends
}

async fn ask(quic: quinn::Connection, go: CancellationToken) -> Option<u64> {
    let (mut send, mut recv) = quic.open_bi().await.ok()?;
    send.write_all(&raw::connect("/")).await.ok()?;
    let end = tokio::select! {
        () = go.cancelled() => {
            send.reset(code(H3_REQUEST_CANCELLED)).ok()?;
            recv.received_reset().await
        }
        end = recv.received_reset() => end,
    };
    end.ok()?.map(quinn::VarInt::into_inner)
}

/// A server whose handlers never answer, and tell that they have begun.
fn waiting() -> (Served, mpsc::Receiver<()>) {
    let (tell, told) = mpsc::channel(AT_ONCE);
    let served = Served::by(move |_| {
        let tell = tell.clone();
        async move {
            tell.send(()).await?;
            pending().await
        }
    });
    (served, told)
}
