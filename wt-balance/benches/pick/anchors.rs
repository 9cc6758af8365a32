//! tower's balancer over the same services.

use std::time::Duration;

use tower::balance::p2c;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwmaDiscover};
use tower::{BoxError, Service};

use crate::Answering;

pub(crate) fn p2c(
    n: u32,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Send + 'static {
    let services = ServiceList::new::<u64>((0..n).map(|_| Answering));
    let discover = PeakEwmaDiscover::new(
        services,
        Duration::from_millis(1),
        Duration::from_secs(10),
        CompleteOnResponse::default(),
    );
    p2c::Balance::new(discover)
}

pub(crate) fn buffered(
    n: u32,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static {
    Buffer::new(p2c(n), 1024)
}
