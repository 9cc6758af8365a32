//! Services that are not ready, and what makes them.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use common::bounded::{cancel, once, until, within};
use common::serve::{BoxError, Content, Reply, Served, get, reply, text};
use common::target;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;
use tower::{Service, ServiceExt, service_fn};
use wt_connection::{Body, Connection, Connections, Limits, RequestError};

#[tokio::test]
async fn requests_wait_until_the_service_is_ready() {
    within(async {
        let gate = Gate::new();
        let served = Served::set(Limits::default(), |server| server, gate.clone());
        let client = served.client().await;
        let asked: Vec<_> = (0..10)
            .map(|_| tokio::spawn(asking(&client, "/")))
            .collect();

        until(|| gate.polled.load(Ordering::Relaxed) > 0).await;
        assert_eq!(gate.called.load(Ordering::Relaxed), 0);
        for called in 1..=10 {
            gate.room.add_permits(1);
            until(|| gate.called.load(Ordering::Relaxed) == called).await;
        }

        for asked in asked {
            assert_eq!(asked.await.unwrap().unwrap(), "called");
        }
        assert_eq!(gate.called.load(Ordering::Relaxed), 10);
    })
    .await;
}

#[tokio::test]
async fn a_session_waits_until_the_service_is_ready_too() {
    within(async {
        let gate = Gate::new();
        let served = Served::set(Limits::default(), |server| server, gate.clone());
        let client = served.client().await;

        let opening = tokio::spawn({
            let client = client.clone();
            async move { client.open("/").await.map(drop) }
        });
        until(|| gate.polled.load(Ordering::Relaxed) > 0).await;
        gate.room.add_permits(1);

        // Nobody takes it.
        assert!(opening.await.unwrap().is_err());
        assert_eq!(gate.called.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_service_goes_with_its_connection() {
    within(async {
        let gate = Gate::new();
        let connections = Connections::new();
        let kept = connections.clone();
        let served = Served::set(Limits::default(), |s| s.connections(kept), gate.clone());
        let client = served.client().await;
        let asked = tokio::spawn(asking(&client, "/"));
        until(|| gate.polled.load(Ordering::Relaxed) > 0).await;

        client.close(0, "").await;
        assert!(asked.await.unwrap().is_err());
        until(|| connections.is_empty()).await;
        gate.room.add_permits(1);

        let other = served.client().await;
        assert_eq!(asking(&other, "/").await.unwrap(), "called");
        assert_eq!(gate.called.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_never_ready_again_ends_its_connection_alone() {
    within(async {
        let served = Served::run(Limits::default(), |server| {
            let made = AtomicUsize::new(0);
            let make = service_fn(move |_: Connection| {
                let gate = Gate::new();
                gate.room.add_permits(1);
                if made.fetch_add(1, Ordering::Relaxed) == 0 {
                    gate.room.close();
                }
                async { Ok::<_, BoxError>(gate) }
            });
            tokio::spawn(server.serve_make(make))
        });
        let (first, second) = (served.client().await, served.client().await);

        let refused = asking(&first, "/").await.unwrap_err();

        assert!(!matches!(refused, RequestError::Malformed), "{refused:?}");
        assert!(first.closed().await.is_orderly());
        assert_eq!(asking(&second, "/").await.unwrap(), "called");
    })
    .await;
}

#[tokio::test]
async fn each_connection_has_a_service_of_its_own() {
    within(async {
        let served = Served::run(Limits::default(), |server| {
            let mut made = 0;
            let make = service_fn(move |connection: Connection| {
                made += 1;
                let service = Counting {
                    name: made,
                    connection,
                    called: 0,
                };
                async { Ok::<_, BoxError>(service) }
            });
            tokio::spawn(server.serve_make(make))
        });
        let (first, second) = (served.client().await, served.client().await);

        let mut told = Vec::new();
        for client in [&first, &first, &second, &first] {
            told.push(asking(client, "/").await.unwrap());
        }

        assert_eq!(told, ["1: 1", "1: 2", "2: 1", "1: 3"]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_for_which_no_service_is_made_is_closed_alone() {
    within(async {
        let served = Served::run(Limits::default(), |server| {
            let made = AtomicUsize::new(0);
            let make = service_fn(move |connection| {
                let name = made.fetch_add(1, Ordering::Relaxed);
                async move {
                    match name {
                        0 => Err("not for this one".into()),
                        _ => Ok::<_, BoxError>(Counting {
                            name,
                            connection,
                            called: 0,
                        }),
                    }
                }
            });
            tokio::spawn(server.serve_make(make))
        });

        let first = served.client().await;
        assert!(first.closed().await.is_orderly());

        let second = served.client().await;
        assert_eq!(asking(&second, "/").await.unwrap(), "1: 1");
    })
    .await;
}

#[tokio::test]
async fn a_maker_that_is_not_ready_lets_nobody_in() {
    within(async {
        let room = Arc::new(Semaphore::new(0));
        let maker = Maker(PollSemaphore::new(Arc::clone(&room)));
        let served = Served::run(Limits::default(), |server| {
            tokio::spawn(server.serve_make(maker))
        });
        // It has shaken hands, and waits for its service.
        let first = served.client().await;
        let second = served.connector.clone().oneshot(target(&served.endpoint));
        let second = tokio::spawn(second);
        let mut asked = pin!(asking(&first, "/"));
        assert!(once(asked.as_mut()).await.is_none());

        room.add_permits(1);
        assert_eq!(asked.await.unwrap(), "1: 1");
        let second = second.await.unwrap().unwrap();
        let mut asked = pin!(asking(&second, "/"));
        assert!(once(asked.as_mut()).await.is_none());
        room.add_permits(1);

        assert_eq!(asked.await.unwrap(), "1: 1");
    })
    .await;
}

#[tokio::test]
async fn a_maker_that_is_never_ready_again_ends_the_server() {
    within(async {
        let room = Arc::new(Semaphore::new(1));
        let maker = Maker(PollSemaphore::new(Arc::clone(&room)));
        let served = Served::run(Limits::default(), |server| {
            tokio::spawn(server.serve_make(maker))
        });
        let first = served.client().await;
        assert_eq!(asking(&first, "/").await.unwrap(), "1: 1");

        room.close();
        let second = served.client().await;

        let report = served.serving.await.unwrap();
        assert_eq!((report.connections, report.cut), (1, vec![]));
        assert!(first.closed().await.is_orderly());
        assert!(second.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn a_service_is_ready_for_each_call() {
    within(async {
        let (service, mut mock) = tower_test::mock::pair::<Request<Body>, Reply>();
        let served = Served::set(Limits::default(), |server| server, service);
        let client = served.client().await;
        mock.allow(0);
        let first = tokio::spawn(asking(&client, "/first"));
        let second = tokio::spawn(asking(&client, "/second"));

        mock.allow(1);
        let (request, respond) = mock.next_request().await.unwrap();
        cancel(mock.next_request()).await;
        respond.send_response(reply(request.uri().path().to_owned()));
        mock.allow(1);
        let (request, respond) = mock.next_request().await.unwrap();
        respond.send_response(reply(request.uri().path().to_owned()));

        assert_eq!(first.await.unwrap().unwrap(), "/first");
        assert_eq!(second.await.unwrap().unwrap(), "/second");
    })
    .await;
}

/// Asks for all that a response has.
fn asking(
    client: &Connection,
    path: &str,
) -> impl Future<Output = Result<String, RequestError>> + Send + use<> {
    let response = get(client, path);
    async move {
        let text = text(response.await?).await;
        Ok(String::from_utf8(text.into()).unwrap())
    }
}

/// Ready for as many calls as there are permits; each spends one.
#[derive(Clone)]
struct Gate {
    room: Arc<Semaphore>,
    ready: bool,
    waiting: PollSemaphore,
    polled: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> Self {
        let room = Arc::new(Semaphore::new(0));
        Self {
            waiting: PollSemaphore::new(Arc::clone(&room)),
            room,
            ready: false,
            polled: Arc::default(),
            called: Arc::default(),
        }
    }
}

impl Service<Request<Body>> for Gate {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polled.fetch_add(1, Ordering::Relaxed);
        if !self.ready {
            let permit = ready!(self.waiting.poll_acquire(cx)).ok_or("closed")?;
            permit.forget();
            self.ready = true;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it is ready");
        self.called.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(reply("called")))
    }
}

/// Counts its calls. It is no `Clone`.
struct Counting {
    name: usize,
    connection: Connection,
    called: usize,
}

impl Service<Request<Body>> for Counting {
    type Response = Response<Content>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = request.extensions().get::<Connection>().unwrap();
        assert_eq!(connection.id(), self.connection.id());
        self.called += 1;
        std::future::ready(Ok(reply(format!("{}: {}", self.name, self.called))))
    }
}

/// Makes as many services as there are permits.
struct Maker(PollSemaphore);

impl Service<Connection> for Maker {
    type Response = Counting;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Counting, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let permit = ready!(self.0.poll_acquire(cx)).ok_or("closed")?;
        permit.forget();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, connection: Connection) -> Self::Future {
        std::future::ready(Ok(Counting {
            name: 1,
            connection,
            called: 0,
        }))
    }
}
