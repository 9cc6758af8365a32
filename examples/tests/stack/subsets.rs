//! Each layer may be left out.

use std::time::Duration;

use axum::http::{Request, Response};
use examples::stack::{PATH, echo};
use examples::{BoxError, causes, classes, outcomes};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::load_shed::error::Overloaded;
use tower::timeout::TimeoutLayer;
use tower::util::{Either, option_layer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_balance::BalanceLayer;
use wt_connection::{CompleteOnClose, Connection, Connector, Limits, Session, Target};
use wt_health::Monitor;
use wt_pool::PoolLayer;
use wt_retry::backoff::Exponential;
use wt_retry::mark::InExtensions;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

use crate::fleet::{PATIENCE, beside};
use crate::load::call;
use crate::local::Local;

/// Which layers there are, one bit each.
#[derive(Clone, Copy, Debug)]
struct Subset(u32);

impl Subset {
    fn has(self, layer: u32) -> bool {
        self.0 & layer != 0
    }

    /// The layer, if it is one of these.
    fn with<L>(self, layer: u32, make: impl FnOnce() -> L) -> Option<L> {
        self.has(layer).then(make)
    }

    /// In the documented order.
    fn client(self, connector: Connector, targets: Vec<Target>) -> impl Client {
        let maker = ServiceBuilder::new()
            .layer(option_layer(self.with(CONNECT_TIMEOUT, timeout)))
            .service(connector.map_err(BoxError::from));
        let pool = PoolLayer::new(4)
            .shared(Connection::max_sessions)
            .completion(CompleteOnClose)
            .layer(maker.clone());
        let lender = move |target: Target| match self.has(POOL) {
            true => Either::Left(pool.service(target)),
            false => Either::Right(unpooled(maker.clone(), target)),
        };
        let monitor = Monitor::new();
        let backend = move |target: Target| {
            let health = || monitor.layer(target.clone()).classify(outcomes::boxed);
            ServiceBuilder::new()
                .layer(option_layer(self.with(HEALTH, health)))
                .layer(option_layer(self.with(TRY_TIMEOUT, timeout)))
                .and_then(echo)
                .service(lender(target))
        };
        let balance = match self.has(BALANCE) {
            true => Either::Left(BalanceLayer::new(targets).layer(backend)),
            false => Either::Right(backend(targets[0].clone())),
        };
        let retry = || {
            let policy = StandardPolicy::new(classes::repeatable, Exponential::default());
            RetryLayer::standard(policy.marks(InExtensions))
        };
        let deadline = || DeadlineLayer::new(PATIENCE).marks(InExtensions);
        ServiceBuilder::new()
            .layer(option_layer(self.with(SHED, LoadShedLayer::new)))
            .layer(option_layer(
                self.with(LIMIT, || ConcurrencyLimitLayer::new(8)),
            ))
            .layer(option_layer(self.with(DEADLINE, deadline)))
            .layer(option_layer(self.with(RETRY, retry)))
            .service(balance)
    }
}

/// What any of them is.
trait Client: examples::stack::Client<()> {}

impl<C: examples::stack::Client<()>> Client for C {}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::new(PATIENCE)
}

/// A connection of its own for each call.
fn unpooled<M>(
    maker: M,
    target: Target,
) -> impl Service<Request<()>, Response = Response<Session>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
where
    M: Service<Target, Response = Connection, Error = BoxError, Future: Send> + Clone + Send + Sync,
{
    service_fn(move |request: Request<()>| {
        let connecting = maker.clone().oneshot(target.clone());
        async move { Ok(connecting.await?.oneshot(request).await?) }
    })
}

#[tokio::test]
async fn each_subset_of_the_layers_makes_calls() {
    let _beside = beside().await;
    let local = Local::start(2, Limits::default());
    let connector = local.connector();

    let mut under_way = JoinSet::new();
    for subset in (0..ALL).map(Subset) {
        let client = subset.client(connector.clone(), local.targets.clone());
        under_way.spawn(makes_calls(client, subset));
        if under_way.len() == AT_ONCE {
            under_way.join_next().await.unwrap().unwrap();
        }
    }
    under_way.join_all().await;
}

/// Makes a call, and another one with what is there then.
async fn makes_calls(client: impl Client, subset: Subset) {
    // Without a deadline, who is not ready at once is shed; see the order.
    let may_be_shed = subset.has(SHED) && !subset.has(DEADLINE);
    for _ in 0..2 {
        // One that keeps its place from one attempt to the next.
        let mut client = client.clone();
        let mut call = async || {
            let request = Request::get(PATH).body(())?;
            client.ready().await?.call(request).await
        };
        let began = Instant::now();
        while let Err(error) = call().await {
            let shed = error.is::<Overloaded>();
            assert!(shed && may_be_shed, "{subset:?}: {}", causes(&*error));
            assert!(began.elapsed() < PATIENCE, "{subset:?} is shed for ever");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_load_shed_without_a_deadline_sheds_the_start() {
    // As the order says; with one, the test above has no call shed.
    let _beside = beside().await;
    let local = Local::start(1, Limits::default());

    let client = Subset(SHED | BALANCE | POOL).client(local.connector(), local.targets.clone());
    let error = call(client).await.unwrap_err();

    assert!(error.is::<Overloaded>(), "{}", causes(&*error));
}

/// So many subsets are looked at.
const AT_ONCE: usize = 8;
const SHED: u32 = 1;
const LIMIT: u32 = 1 << 1;
const DEADLINE: u32 = 1 << 2;
const RETRY: u32 = 1 << 3;
const BALANCE: u32 = 1 << 4;
const HEALTH: u32 = 1 << 5;
const TRY_TIMEOUT: u32 = 1 << 6;
const POOL: u32 = 1 << 7;
const CONNECT_TIMEOUT: u32 = 1 << 8;
const ALL: u32 = 1 << 9;
