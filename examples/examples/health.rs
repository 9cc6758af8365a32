//! Balances WebTransport sessions over three servers, one of which dies and comes back.
//!
//! The servers and the client are one process, on loopback:
//!
//! ```sh
//! cargo run --release --example health
//! ```

use std::convert::Infallible;
use std::iter;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response};
use axum::routing::any;
use examples::{BoxError, outcomes, probes};
use tokio::task::JoinHandle;
use tower::balance::p2c::Balance;
use tower::discover::Change;
use tower::load::PendingRequestsDiscover;
use tower::timeout::TimeoutLayer;
use tower::{Service, ServiceBuilder, ServiceExt};
use wt_connection::{
    CompleteOnClose, Connection, Connector, Endpoint, Identity, Server, Session, Target, Trust,
    WebTransportUpgrade,
};
use wt_health::Monitor;
use wt_health::event::{Event, Events};
use wt_pool::PoolLayer;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let identity = Identity::self_signed(["localhost"])?;
    let connector = Connector::new(Endpoint::client(Trust::hashes([
        identity.certificate_hash()
    ]))?)
    .connect_timeout(Duration::from_secs(1));
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(serve(anywhere, &identity)?);
    }
    let targets: Vec<_> = servers.iter().map(|(at, ..)| Target::from(*at)).collect();

    // Probes make connections of their own, beside those of the pool.
    let monitor = Monitor::builder()
        .probes(probes::handshake(connector.clone()).interval(Duration::from_millis(100)))
        .build();
    let mut events = monitor.subscribe();
    let pool = ServiceBuilder::new()
        .layer(
            PoolLayer::new(1)
                .shared(Connection::max_sessions)
                .completion(CompleteOnClose)
                .acquire_timeout(Some(Duration::from_secs(2))),
        )
        .service(connector);
    let backends = targets.iter().map(|target| {
        let backend = ServiceBuilder::new()
            .layer(TimeoutLayer::new(Duration::from_secs(3)))
            .service(pool.service(target.clone()));
        Change::Insert(target.clone(), backend)
    });
    let backends = List(backends.collect::<Vec<_>>().into_iter());
    let discover = monitor.discover(backends).classify(outcomes::boxed);
    let mut client = Balance::new(PendingRequestsDiscover::new(discover, CompleteOnClose));

    println!("{} of 30 sessions opened", open(&mut client, 30).await);

    let (address, endpoint, serving) = servers.remove(1);
    endpoint.close(0, "").await;
    drop(endpoint);
    serving.await?;
    println!("a server is gone");
    let server = Target::from(address);
    loop {
        tokio::select! {
            () = until(&mut events, |event| is_ejected(event, &server)) => break,
            _ = open(&mut client, 1) => {}
        }
    }
    println!("it is ejected");
    println!("{} of 30 sessions opened", open(&mut client, 30).await);

    let server = serve(address, &identity)?;
    println!("it is here again");
    let target = Target::from(server.0);
    until(&mut events, |event| is_restored(event, &target)).await;
    println!("it is restored");
    println!("{} of 30 sessions opened", open(&mut client, 30).await);
    Ok(())
}

/// A server, where it is, and the task that serves.
fn serve(
    address: SocketAddr,
    identity: &Identity,
) -> Result<(SocketAddr, Endpoint, JoinHandle<()>), BoxError> {
    let endpoint = Endpoint::server(address, identity.clone())?;
    let hold = async |session: Session| drop(session.closed().await);
    let upgrade = async move |upgrade: WebTransportUpgrade| upgrade.on_session(hold);
    let serve = Server::new(endpoint.clone()).serve(Router::new().route("/", any(upgrade)));
    let serving = tokio::spawn(async move { drop(serve.await) });
    Ok((endpoint.local_address()?, endpoint, serving))
}

/// Says how many of so many sessions were opened.
async fn open<S>(client: &mut S, sessions: usize) -> usize
where
    S: Service<Request<()>, Response = Response<Session>, Error = BoxError>,
{
    let mut opened = 0;
    for request in iter::repeat_with(|| Request::get("/").body(())).take(sessions) {
        let (Ok(request), Ok(ready)) = (request, client.ready().await) else {
            continue;
        };
        if let Ok(response) = ready.call(request).await {
            response.body().close(0, "");
            opened += 1;
        }
    }
    opened
}

async fn until(events: &mut Events<Target>, is: impl Fn(&Event<Target>) -> bool) {
    while let Some(event) = events.next().await {
        if is(&event) {
            return;
        }
    }
}

fn is_ejected(event: &Event<Target>, server: &Target) -> bool {
    matches!(event, Event::Ejected { key, .. } if key == server)
}

fn is_restored(event: &Event<Target>, server: &Target) -> bool {
    matches!(event, Event::Restored { key, .. } if key == server)
}

/// Changes that are all known at once.
struct List<S>(std::vec::IntoIter<Change<Target, S>>);

impl<S> futures_core::Stream for List<S>
where
    Self: Unpin,
{
    type Item = Result<Change<Target, S>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.next() {
            Some(change) => Poll::Ready(Some(Ok(change))),
            None => Poll::Pending,
        }
    }
}
