use std::net::Ipv4Addr;
use std::time::Duration;

use examples::servers::{Credentials, ServerProcess};
use examples::stack::{Client, Stack, echo, stack};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};
use wt_connection::{Connector, Endpoint, Target, Trust};

use crate::common::binary;

/// Servers in processes of their own.
pub(crate) struct Fleet {
    pub(crate) servers: Vec<ServerProcess>,
    pub(crate) trust: Trust,
}

impl Fleet {
    pub(crate) async fn start(servers: usize) -> Self {
        let credentials = Credentials::generate().unwrap();
        let mut fleet = Self {
            servers: Vec::new(),
            trust: credentials.trust().unwrap(),
        };
        for _ in 0..servers {
            let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
            let server = ServerProcess::start(binary("stack"), anywhere, credentials.clone());
            fleet.servers.push(server.await.unwrap());
        }
        fleet
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        let addresses = self.servers.iter().map(ServerProcess::address);
        addresses.map(Target::from).collect()
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(Endpoint::client(self.trust.clone()).unwrap())
    }

    pub(crate) fn client(&self) -> Stack<impl Client<()> + use<>> {
        stack(self.connector(), self.targets(), echo)
    }
}

/// The processor, for one test at a time: on a busy one, whoever is well may be as slow as who is
/// dead.
pub(crate) async fn alone() -> SemaphorePermit<'static> {
    HALVES.acquire_many(2).await.unwrap()
}

/// Half of it, for a test that waits for most of its time, or may take as long as it likes.
pub(crate) async fn beside() -> SemaphorePermit<'static> {
    HALVES.acquire().await.unwrap()
}

static HALVES: Semaphore = Semaphore::const_new(2);

/// Waits until it is so.
pub(crate) async fn eventually(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        sleep(SOON).await;
    }
}

/// How long each step may take: machines are slow, and shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(5);
