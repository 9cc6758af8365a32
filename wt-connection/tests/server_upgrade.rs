//! Sessions that a service accepts: who takes them, and what the client is told.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::bounded::within;
use common::serve::{BoxError, H3_INTERNAL_ERROR, Served, content, reply, status};
use http::{Request, Response, StatusCode};
use tokio::sync::{Notify, mpsc};
use tower::{Service, service_fn};
use wt_connection::{
    Body, Connection, Limits, OpenError, Session, SessionError, Upgrade, UpgradeError, Upgrading,
};

type Outcome = Result<(), UpgradeError>;

#[tokio::test]
async fn a_session_is_taken_once_by_whichever_clone() {
    within(async {
        let (tell, mut told) = mpsc::channel(2);
        let served = Served::by(move |mut request: Request<Body>| {
            let first = Upgrade::of(&mut request).unwrap();
            assert!(Upgrade::of(&mut request).is_none());
            let second = first.clone();
            report(&first, second.session(), &tell);
            report(&second, first.session(), &tell);
            async { Ok(reply("")) }
        });
        let client = served.client().await;

        let session = client.open("/").await.unwrap();

        let mut both = [told.recv().await.unwrap(), told.recv().await.unwrap()];
        both.sort_by_key(Result::is_ok);
        assert_eq!(both, [Err(UpgradeError::Taken), Ok(())]);
        session.close(0, "");
        session.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_nobody_takes_is_rejected() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let upgrade = request.extensions().get::<Upgrade>().unwrap().clone();
            match request.uri().path() {
                // A task asks for it, and waits no more.
                "/gives-up" => drop(upgrade.session()),
                _ => drop(upgrade),
            }
            Ok(reply(""))
        });
        let client = served.client().await;

        for (path, status) in [
            // A resource without WebTransport.
            ("/never-asks", StatusCode::METHOD_NOT_ALLOWED),
            ("/gives-up", StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let rejected = rejected(client.open(path).await);
            assert_eq!(rejected.status(), status, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_that_could_still_be_taken_is_rejected_in_time() {
    within(async {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&kept);
        let limits = Limits::default().header_timeout(Duration::from_secs(1));
        let served = Served::set(
            limits,
            |server| server,
            service_fn(move |mut request: Request<Body>| {
                keeping
                    .lock()
                    .unwrap()
                    .push(Upgrade::of(&mut request).unwrap());
                async { Ok::<_, BoxError>(reply("")) }
            }),
        );
        let client = served.client().await;

        let rejected = rejected(client.open("/").await);

        assert_eq!(rejected.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let late = kept.lock().unwrap().pop().unwrap();
        assert_eq!(late.session().await.unwrap_err(), UpgradeError::Taken);
    })
    .await;
}

#[tokio::test]
async fn a_session_may_be_taken_after_the_response() {
    within(async {
        let now = Arc::new(Notify::new());
        let waiting = Arc::clone(&now);
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |mut request: Request<Body>| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            let waiting = Arc::clone(&waiting);
            tell.try_send(()).unwrap();
            tokio::spawn(async move {
                waiting.notified().await;
                let session = upgrade.session().await.unwrap();
                session.send_datagram("late").unwrap();
                session.closed().await;
            });
            async { Ok(reply("")) }
        });
        let client = served.client().await;
        let opening = tokio::spawn(async move { (client.open("/").await, client) });
        // The response is ready as soon as it is asked for.
        told.recv().await.unwrap();

        now.notify_one();

        let (session, _client) = opening.await.unwrap();
        assert_eq!(session.unwrap().read_datagram().await.unwrap(), "late");
    })
    .await;
}

#[tokio::test]
async fn the_status_and_headers_of_an_acceptance_reach_the_client() {
    within(async {
        let served = Served::by(|mut request: Request<Body>| async move {
            serve(&Upgrade::of(&mut request).unwrap());
            let response = Response::builder()
                .status(&request.uri().path()[1..])
                .header("x-room", "7")
                .header("connection", "close")
                .header("transfer-encoding", "chunked")
                .header("content-length", "12")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2");
            Ok(response.body(content("not for you."))?)
        });
        let mut client = served.client().await;

        for status in [200, 201, 204, 299] {
            let request = Request::get(format!("/{status}")).body(()).unwrap();
            let response = client.ready().await.unwrap().call(request).await.unwrap();

            assert_eq!(response.status(), status);
            let headers = response.headers();
            assert_eq!(headers["x-room"], "7");
            assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
            for left_out in ["connection", "transfer-encoding", "content-length"] {
                assert!(!headers.contains_key(left_out), "{left_out}");
            }
            echoes(response.body()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_without_an_answer_costs_its_session_alone() {
    // A response of 1xx was sent as if it were the answer.
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |mut request: Request<Body>| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            if request.uri().path() == "/lives" {
                serve(&upgrade);
            } else {
                report(&upgrade, upgrade.session(), &tell);
            }
            assert_ne!(request.uri().path(), "/panics-in-call");
            async move {
                match request.uri().path() {
                    "/panics" => panic!("a handler's, which is to be survived"),
                    "/fails" => Err("no".into()),
                    "/interim" => Ok(status(103)),
                    "/switching" => Ok(status(101)),
                    _ => Ok(reply("")),
                }
            }
        });
        let client = served.client().await;
        let session = client.open("/lives").await.unwrap();

        for path in [
            "/panics-in-call",
            "/panics",
            "/fails",
            "/interim",
            "/switching",
        ] {
            let error = client.open(path).await.unwrap_err();

            let code = H3_INTERNAL_ERROR;
            assert!(
                matches!(error, OpenError::Aborted { code: aborted } if aborted == code),
                "{path}: {error:?}"
            );
            let outcome = told.recv().await.unwrap();
            assert_eq!(outcome, Err(UpgradeError::Unanswered), "{path}");
        }

        echoes(&session).await;
        client.open("/lives").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn both_sides_are_told_which_protocol_was_chosen() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |mut request: Request<Body>| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            assert_eq!(upgrade.protocols(), ["chat.v1", "chat.v2"]);
            let upgrade = upgrade.select_protocol(["chat.v3", "chat.v2", "chat.v1"]);
            assert_eq!(upgrade.selected_protocol().as_deref(), Some("chat.v2"));
            let (session, tell) = (upgrade.session(), tell.clone());
            upgrade.spawn(async move {
                let session = session.await.unwrap();
                tell.send(session.protocol().map(str::to_owned))
                    .await
                    .unwrap();
                session.closed().await;
            });
            async { Ok(reply("")) }
        });
        let mut client = served.client().await;

        let session = offer(&mut client).await.unwrap();

        assert_eq!(session.protocol(), Some("chat.v2"));
        assert_eq!(told.recv().await.unwrap().as_deref(), Some("chat.v2"));
    })
    .await;
}

#[tokio::test]
async fn a_protocol_that_nobody_offers_cannot_be_chosen_by_hand() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |mut request: Request<Body>| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            report(&upgrade, upgrade.session(), &tell);
            async {
                let mut response = reply("");
                let chosen = "\"chat.v9\"".parse()?;
                response.headers_mut().insert("wt-protocol", chosen);
                Ok(response)
            }
        });
        let mut client = served.client().await;

        let error = offer(&mut client).await.unwrap_err();

        let code = H3_INTERNAL_ERROR;
        assert!(matches!(error, OpenError::Aborted { code: aborted } if aborted == code));
        let invalid = SessionError::InvalidResponse.into();
        assert_eq!(told.recv().await.unwrap(), Err(invalid));
    })
    .await;
}

/// Opens a session that offers two subprotocols.
async fn offer(client: &mut Connection) -> Result<Session, OpenError> {
    let request = Request::get("/")
        .header("wt-available-protocols", "\"chat.v1\", \"chat.v2\"")
        .body(())
        .unwrap();
    let opened = client.ready().await.unwrap().call(request).await;
    opened.map(Response::into_body)
}

/// Takes the session, and answers what it is sent.
fn serve(upgrade: &Upgrade) {
    let session = upgrade.session();
    upgrade.spawn(async move {
        let session = session.await.unwrap();
        while let Ok(datagram) = session.read_datagram().await {
            session.send_datagram(datagram).unwrap();
        }
    });
}

async fn echoes(session: &Session) {
    session.send_datagram("question").unwrap();
    assert_eq!(session.read_datagram().await.unwrap(), "question");
}

/// Tells what a taker gets.
fn report(upgrade: &Upgrade, session: Upgrading, tell: &mpsc::Sender<Outcome>) {
    let tell = tell.clone();
    upgrade.spawn(async move {
        let session = session.await;
        let outcome = session.as_ref().map(drop).map_err(Clone::clone);
        tell.send(outcome).await.unwrap();
        if let Ok(session) = session {
            session.closed().await;
        }
    });
}

fn rejected(opened: Result<Session, OpenError>) -> Box<Response<()>> {
    match opened {
        Err(OpenError::Rejected(response)) => response,
        other => panic!("not rejected: {other:?}"),
    }
}
