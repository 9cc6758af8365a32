//! An axum router behind a server of ours, with layers of tower-http's.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Path};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, connect, get};
use common::bounded::within;
use common::raw;
use common::serve::{Served, content, get as ask, post, text};
use common::{LOOPBACK, address, target};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::{Service, ServiceExt};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use wt_connection::{
    Connection, Connector, Endpoint, Limits, OpenError, Peer, Server, Session, Trust,
    WebTransportUpgrade,
};

#[tokio::test]
async fn a_router_is_served_as_it_is() {
    within(async {
        let app = Router::new()
            .route(
                "/hello/{name}",
                get(|Path(name): Path<String>| async { name }),
            )
            .route(
                "/length",
                any(|body: axum::body::Bytes| async move { body.len().to_string() }),
            )
            .route("/session", any(echoing));
        let served = serve(app);
        let client = served.client().await;

        let hello = ask(&client, "/hello/you").await.unwrap();
        assert_eq!(hello.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(text(hello).await, "you");
        let length = post(&client, "/length", content(vec![7; 1_000_000]))
            .await
            .unwrap();
        assert_eq!(text(length).await, "1000000");
        echoes(&client.open("/session").await.unwrap()).await;
        assert_eq!(ask(&client, "/nowhere").await.unwrap().status(), 404);
        let head = Request::head("/hello/you").body(content("")).unwrap();
        let head = client.http().oneshot(head).await.unwrap();
        assert_eq!(head.headers()["content-length"], "3");
        assert_eq!(text(head).await, "");
    })
    .await;
}

#[tokio::test]
async fn sessions_are_routed_by_path() {
    within(async {
        let app = Router::new()
            .route("/any/{room}", any(named))
            .route("/connect/{room}", connect(named))
            .nest("/nested", Router::new().route("/{room}", any(named)))
            .route("/get", get(named));
        let served = serve(app);
        let client = served.client().await;

        for path in ["/any/one", "/connect/two", "/nested/three"] {
            let session = client.open(path).await.unwrap();
            let name = session.read_datagram().await.unwrap();
            assert!(path.ends_with(str::from_utf8(&name).unwrap()), "{path}");
        }
        for (path, status) in [("/get", 405), ("/nowhere", 404), ("/any", 404)] {
            let rejected = rejected(client.open(path).await);
            assert_eq!(rejected.status(), status, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_route_of_sessions_allows_nothing_else() {
    within(async {
        let app = Router::new()
            .route("/any", any(echoing))
            .route("/either", any(either));
        let served = serve(app);
        let client = served.client().await;

        let refused = ask(&client, "/any").await.unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()["allow"], "CONNECT");
        let plain = ask(&client, "/either").await.unwrap();
        assert_eq!(text(plain).await, "no session");

        echoes(&client.open("/either").await.unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn a_layer_refuses_before_there_is_a_session() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let app = Router::new()
            .route(
                "/session",
                any(move |upgrade: WebTransportUpgrade| async move {
                    tell.try_send(()).unwrap();
                    upgrade.on_session(echo)
                }),
            )
            .layer(ValidateRequestHeaderLayer::custom(allow));
        let served = serve(app);
        let mut client = served.client().await;

        let rejected = rejected(client.open("/session").await);
        assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(rejected.headers()["www-authenticate"], "Bearer");
        assert!(told.try_recv().is_err());

        let request = Request::get("/session").header("authorization", "Bearer key");
        let request = request.body(()).unwrap();
        let session = client.ready().await.unwrap().call(request).await.unwrap();
        echoes(session.body()).await;
        assert_eq!(told.recv().await, Some(()));
    })
    .await;
}

#[tokio::test]
async fn layers_trace_and_add_headers_before_there_is_a_session() {
    within(async {
        let added = HeaderValue::from_static("added");
        let set = SetResponseHeaderLayer::overriding(HeaderName::from_static("x-layer"), added);
        let app = Router::new().route("/echo", any(echoing));
        let served = serve(app.layer(set).layer(TraceLayer::new_for_http()));
        let mut client = served.client().await;

        let request = Request::get("/echo").body(()).unwrap();
        let response = client.ready().await.unwrap().call(request).await.unwrap();

        assert_eq!(response.headers()["x-layer"], "added");
        echoes(response.body()).await;
        let plain = ask(&client, "/none").await.unwrap();
        assert_eq!(plain.headers()["x-layer"], "added");
    })
    .await;
}

#[tokio::test]
async fn a_layer_of_time_limits_leaves_sessions_alone() {
    within(async {
        let status = StatusCode::REQUEST_TIMEOUT;
        let limit = Duration::from_millis(300);
        let app = Router::new()
            .route("/session", any(echoing))
            .route("/slow", any(pending::<Response>))
            .layer(TimeoutLayer::with_status_code(status, limit));
        let served = serve(app);
        let client = served.client().await;
        let session = client.open("/session").await.unwrap();

        assert_eq!(rejected(client.open("/slow").await).status(), status);
        assert_eq!(ask(&client, "/slow").await.unwrap().status(), status);

        echoes(&session).await;
    })
    .await;
}

#[tokio::test]
async fn a_router_knows_who_asks_however_it_is_served() {
    within(async {
        let whoami =
            |ConnectInfo(address): ConnectInfo<SocketAddr>| async move { address.to_string() };
        let app = Router::new().route("/", get(whoami));
        let made = app
            .clone()
            .into_make_service_with_connect_info::<SocketAddr>();

        for served in [
            serve(app),
            Served::run(Limits::default(), |s| tokio::spawn(s.serve_make(made))),
        ] {
            let socket = Endpoint::builder()
                .address(LOOPBACK.parse().unwrap())
                .trust(Trust::hashes([served.identity.certificate_hash()]))
                .bind()
                .unwrap();
            let connector = Connector::new(socket.clone());
            let client = connector.oneshot(target(&served.endpoint)).await.unwrap();

            let response = ask(&client, "/").await.unwrap();

            assert_eq!(text(response).await, address(&socket).to_string());
        }
    })
    .await;
}

#[tokio::test]
async fn extensions_are_extracted() {
    within(async {
        use axum::Extension;
        let app =
            Router::new().route(
                "/",
                get(
                    |Extension(connection): Extension<Connection>,
                     Extension(peer): Extension<Peer>| async move {
                        (connection.remote_address() == peer.address()).to_string()
                    },
                ),
            );
        let served = serve(app);

        let response = ask(&served.client().await, "/").await.unwrap();

        assert_eq!(text(response).await, "true");
    })
    .await;
}

#[tokio::test]
async fn a_route_chooses_among_the_protocols_that_are_offered() {
    within(async {
        let app = Router::new().route(
            "/",
            any(|upgrade: WebTransportUpgrade| async {
                let upgrade = upgrade.protocols(["v3", "v2"]);
                match upgrade.selected_protocol() {
                    Some(_) => upgrade.on_session(echo),
                    None => StatusCode::BAD_REQUEST.into_response(),
                }
            }),
        );
        let served = serve(app);
        let mut client = served.client().await;

        let request = Request::get("/").header("wt-available-protocols", "\"v1\", \"v2\"");
        let request = request.body(()).unwrap();
        let session = client.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(session.body().protocol(), Some("v2"));

        assert_eq!(rejected(client.open("/").await).status(), 400);
    })
    .await;
}

#[tokio::test]
async fn the_body_of_a_rejection_is_that_of_the_route() {
    within(async {
        let app = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "nothing here") });
        let served = serve(app);
        let peer = served.raw().await;

        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();

        assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "404");
        assert_eq!(
            recv.read_to_end(100).await.unwrap(),
            raw::data(b"nothing here")
        );
    })
    .await;
}

#[tokio::test]
async fn requests_without_a_path_find_nothing() {
    within(async {
        let app = Router::new().route("/", any(|| async { "found" }));
        let served = serve(app);
        let peer = served.raw().await;

        let tunnel = raw::headers(&[(":method", "CONNECT"), (":authority", "localhost:443")]);
        for head in [tunnel, raw::request("OPTIONS", "*", &[])] {
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&head).await.unwrap();
            send.finish().unwrap();
            let found = recv.read_to_end(1000).await;
            let found = found.is_ok_and(|bytes| bytes.ends_with(b"found"));
            assert!(!found);
        }

        let client = served.client().await;
        assert_eq!(text(ask(&client, "/").await.unwrap()).await, "found");
        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_content_passes_through_a_router() {
    within(async {
        let echo = |body: axum::body::Body| async { body };
        let app = Router::new().route("/", any(echo));
        let served = serve(app);
        let client = served.client().await;
        let upload = common::serve::Chunks::new(1 << 16, 64, common::serve::End::Whole);

        let response = post(&client, "/", upload.boxed_unsync()).await.unwrap();

        assert_eq!(common::serve::count(response.into_body()).await, 64 << 16);
    })
    .await;
}

fn serve(app: Router) -> Served {
    Served::run(Limits::default(), |server: Server| {
        tokio::spawn(server.serve(app))
    })
}

async fn echoing(upgrade: WebTransportUpgrade) -> Response {
    upgrade.on_session(echo)
}

async fn either(upgrade: Option<WebTransportUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.on_session(echo),
        None => "no session".into_response(),
    }
}

async fn named(Path(room): Path<String>, upgrade: WebTransportUpgrade) -> Response {
    upgrade.on_session(|session| async move {
        session.send_datagram(room).unwrap();
        session.closed().await;
    })
}

async fn echo(session: Session) {
    while let Ok(datagram) = session.read_datagram().await {
        session.send_datagram(datagram).unwrap();
    }
}

async fn echoes(session: &Session) {
    session.send_datagram("question").unwrap();
    assert_eq!(session.read_datagram().await.unwrap(), "question");
}

/// Lets those pass who have the key.
#[expect(clippy::result_large_err, reason = "tower-http asks for it so")]
fn allow<B>(request: &mut Request<B>) -> Result<(), Response> {
    match request.headers().get("authorization") {
        Some(key) if key == "Bearer key" => Ok(()),
        _ => {
            let headers = [("www-authenticate", "Bearer")];
            Err((StatusCode::UNAUTHORIZED, headers).into_response())
        }
    }
}

fn rejected(opened: Result<Session, OpenError>) -> Box<http::Response<()>> {
    match opened {
        Err(OpenError::Rejected(response)) => response,
        other => panic!("not rejected: {other:?}"),
    }
}
