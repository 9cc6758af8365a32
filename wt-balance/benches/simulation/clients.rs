//! Balancers: ours, and tower's, which takes a `Buffer` to be cloned.

use tower::balance::p2c;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwmaDiscover, PendingRequestsDiscover};
use tower::util::BoxCloneSyncService;
use tower::util::rng::Rng;
use tower::{BoxError, Layer};
use wt_balance::{Adaptive, BalanceLayer, LeastRequests, Policy, RoundRobin};

use crate::world::{Backend, ms};

pub(crate) type Client = BoxCloneSyncService<(), (), BoxError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RoundRobin,
    TowerPending,
    TowerPeakEwma,
    LeastRequests,
    Adaptive,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::RoundRobin,
        Self::TowerPending,
        Self::TowerPeakEwma,
        Self::LeastRequests,
        Self::Adaptive,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "RoundRobin",
            Self::TowerPending => "tower p2c, pending",
            Self::TowerPeakEwma => "tower p2c, PeakEwma",
            Self::LeastRequests => "LeastRequests",
            Self::Adaptive => "Adaptive",
        }
    }

    pub(crate) fn client(self, backends: Vec<Backend>, seed: u64) -> Client {
        match self {
            Self::RoundRobin => ours(backends, RoundRobin::new()),
            Self::LeastRequests => ours(backends, LeastRequests::default()),
            Self::Adaptive => ours(backends, Adaptive::default()),
            Self::TowerPending => {
                let services = ServiceList::new::<()>(backends);
                let loads = PendingRequestsDiscover::new(services, CompleteOnResponse::default());
                let balance = p2c::Balance::from_rng(loads, Seeded::new(seed));
                BoxCloneSyncService::new(Buffer::new(balance, 1024))
            }
            Self::TowerPeakEwma => {
                let services = ServiceList::new::<()>(backends);
                let complete = CompleteOnResponse::default();
                let loads = PeakEwmaDiscover::new(services, ms(10.0), ms(10_000.0), complete);
                let balance = p2c::Balance::from_rng(loads, Seeded::new(seed));
                BoxCloneSyncService::new(Buffer::new(balance, 1024))
            }
        }
    }
}

fn ours<P>(backends: Vec<Backend>, policy: P) -> Client
where
    P: Policy<()> + Clone + Send + Sync + 'static,
{
    let layer = BalanceLayer::new(0..backends.len())
        .decay(ms(10_000.0))
        .rest(ms(4000.0))
        .policy(policy);
    BoxCloneSyncService::new(layer.layer(move |place: usize| backends[place].clone()))
}

struct Seeded(fastrand::Rng);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }
}

impl Rng for Seeded {
    fn next_u64(&mut self) -> u64 {
        self.0.u64(..)
    }
}
