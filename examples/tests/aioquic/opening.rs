//! Sessions and other requests on one connection, and what a rejected one learns.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, Uri};
use axum::routing::{any, get};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;
use wt_connection::{Session, WebTransportUpgrade};

use crate::draft::{Draft, limits};
use crate::ours::{REJECTIONS, Server, in_time, rejected_with};
use crate::peer::Peer;
use crate::sessions::{Opened, from_our_client};

each_draft! {
    their_client_has_several_sessions_beside_other_requests_on_one_connection,
    our_client_has_several_sessions_beside_other_requests_on_one_connection,
    their_client_reads_the_status_that_our_server_rejects_with,
    our_client_reads_the_status_that_their_server_rejects_with,
}

async fn their_client_has_several_sessions_beside_other_requests_on_one_connection(draft: Draft) {
    in_time(async {
        let server = Server::limited(limits());
        let (asked, mut sessions) = mpsc::channel(3);
        tokio::spawn(wt_connection::Server::new(server.endpoint.clone()).serve(app(asked)));
        let requests = [
            "GET /hello",
            "CONNECT /echo/a",
            "CONNECT /echo/b",
            "GET /hello",
            "CONNECT /echo/c",
            "GET /hello",
        ];

        let mut peer = Peer::client(draft, &server, &requests.map(str::to_owned));
        let paths = ["/echo/a", "/echo/b", "/echo/c"];
        let mut opened = [(); 3].map(|()| None);
        for _ in paths {
            let (path, session): (String, Session) = sessions.recv().await.unwrap();
            let place = paths.iter().position(|known| *known == path).unwrap();
            let path = paths[place];
            opened[place] = Some(Opened { path, session });
        }

        let accepted = paths.map(|path| json!({ "path": path, "status": 200 }));
        peer.says(accepted.into_iter().chain([(); 3].map(|()| hello())))
            .await;
        live_to_their_end(&opened.map(Option::unwrap)).await;
        peer.says(paths.map(|path| json!({ "path": path, "code": 0, "reason": "" })))
            .await;
        peer.ends().await;
    })
    .await;
}

async fn our_client_has_several_sessions_beside_other_requests_on_one_connection(draft: Draft) {
    in_time(async {
        let paths = ["/echo/a", "/echo/b", "/echo/c"];

        let (mut peer, opened) = from_our_client(draft, paths).await;
        let http = opened[0].session.connection().http();
        for _ in paths {
            let request = Request::get("/hello").body(Body::empty()).unwrap();
            let response = http.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let content = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(content, "hello");
        }

        live_to_their_end(&opened).await;
        peer.says(paths.map(|path| json!({ "path": path, "code": 0, "reason": "" })))
            .await;
    })
    .await;
}

async fn their_client_reads_the_status_that_our_server_rejects_with(draft: Draft) {
    in_time(async {
        let server = Server::limited(limits());
        let requests = REJECTIONS.map(|status| format!("CONNECT /reject/{}", status.as_u16()));

        let mut peer = Peer::client(draft, &server, &requests);
        let connection = server.endpoint.accept().await.unwrap().await.unwrap();
        for _ in REJECTIONS {
            let request = connection.accept().await.unwrap();
            let status = request.uri().path().rsplit('/').next().unwrap();
            let status = status.parse().unwrap();
            request.reject(status).await.unwrap();
        }

        peer.says(REJECTIONS.map(|status| {
            let status = status.as_u16();
            json!({ "path": format!("/reject/{status}"), "status": status, "body": "" })
        }))
        .await;
        peer.ends().await;
    })
    .await;
}

async fn our_client_reads_the_status_that_their_server_rejects_with(draft: Draft) {
    in_time(async {
        let (_peer, connection) = Peer::server(draft).await;

        for status in REJECTIONS {
            let path = format!("/reject/{}", status.as_u16());
            assert_eq!(rejected_with(connection.open(path).await), status);
        }

        connection.open("/echo").await.unwrap();
    })
    .await;
}

async fn live_to_their_end(opened: &[Opened; 3]) {
    let [a, b, c] = opened;
    assert_eq!(a.session.connection().id(), b.session.connection().id());
    assert_eq!(a.session.connection().id(), c.session.connection().id());
    tokio::join!(a.lives(), b.lives(), c.lives());
    tokio::join!(a.close(), b.close(), c.close());
}

/// Says hello, and gives the test each session with its path.
fn app(asked: mpsc::Sender<(String, Session)>) -> Router {
    let echo = |uri: Uri, upgrade: WebTransportUpgrade| async move {
        upgrade.on_session(async move |session| {
            let path = uri.path().to_owned();
            asked.send((path, session)).await.unwrap();
        })
    };
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/echo/{name}", any(echo))
}

/// What a client reads of `/hello`.
fn hello() -> Value {
    json!({ "path": "/hello", "status": 200, "body": "hello" })
}
