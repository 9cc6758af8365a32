//! A path that fails.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::UdpSocket;

use crate::common::LOOPBACK;

/// A path to a server, which can be made to lose everything.
pub(crate) struct Path {
    pub(crate) address: SocketAddr,
    swallows: Arc<AtomicBool>,
}

impl Path {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let front = UdpSocket::bind(LOOPBACK).await.unwrap();
        let back = UdpSocket::bind(LOOPBACK).await.unwrap();
        back.connect(server).await.unwrap();
        let path = Self {
            address: front.local_addr().unwrap(),
            swallows: Arc::default(),
        };
        tokio::spawn(forward(front, back, Arc::clone(&path.swallows)));
        path
    }

    pub(crate) fn swallow(&self) {
        self.swallows.store(true, Ordering::Relaxed);
    }
}

/// Passes packets on between the one client of `front` and the server behind `back`.
async fn forward(front: UdpSocket, back: UdpSocket, swallows: Arc<AtomicBool>) {
    let (mut up, mut down) = ([0; 65_536], [0; 65_536]);
    let mut client = None;
    loop {
        tokio::select! {
            Ok((length, from)) = front.recv_from(&mut up) => {
                client = Some(from);
                if !swallows.load(Ordering::Relaxed) {
                    let _ = back.send(&up[..length]).await;
                }
            }
            Ok(length) = back.recv(&mut down) => {
                if let Some(client) = client && !swallows.load(Ordering::Relaxed) {
                    let _ = front.send_to(&down[..length], client).await;
                }
            }
        }
    }
}
