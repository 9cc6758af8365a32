//! Which sessions a page may open, and what both sides agree on.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::routing::any;
use serde_json::{Value, json};
use tokio::sync::mpsc::channel;
use wt_connection::{Connections, Origins, Session, WebTransportUpgrade};

use crate::draft::Draft;
use crate::site::{Case, Site, handing_over};

each_draft! {
    a_session_that_a_route_rejects_does_not_begin,
    a_page_of_another_origin_is_rejected_before_any_route,
    both_sides_know_the_subprotocol_that_the_server_chooses,
    no_subprotocol_is_agreed_on_unless_the_server_chooses,
    fifty_sessions_of_one_page_are_open_at_once,
}

async fn a_session_that_a_route_rejects_does_not_begin(draft: Draft) {
    let site = Site::bind().await;
    let origin = site.origin();
    let (asked, mut requests) = channel(1);
    let reject = async move |uri: Uri, headers: HeaderMap, _: WebTransportUpgrade| {
        let origin = headers[header::ORIGIN].to_str().unwrap().to_owned();
        asked.send((uri.to_string(), origin)).await.unwrap();
        StatusCode::FORBIDDEN
    };
    let app = Router::new().route("/rejected", any(reject));
    tokio::spawn(site.server().serve(app));
    let url = site.url() + "/rejected?by=a-route";

    let (returned, request) = site
        .browse(case(draft, "isRejected"), requests.recv())
        .await;

    assert_eq!(request, Some((url, origin)));
    assert_eq!(returned, rejected());
}

async fn a_page_of_another_origin_is_rejected_before_any_route(draft: Draft) {
    let site = Site::bind().await;
    let (called, mut calls) = channel(1);
    let app = Router::new().fallback(async move || called.send(()).await.unwrap());
    let connections = Connections::default();
    let server = site.server().connections(connections.clone());
    let server = server.origins(Origins::list(["http://localhost:1"]));
    tokio::spawn(server.serve(app));

    let (returned, ()) = site.browse(case(draft, "isRejected"), async {}).await;

    assert_eq!(returned, rejected());
    assert_eq!(connections.stats().added, 1);
    calls.try_recv().unwrap_err();
}

async fn both_sides_know_the_subprotocol_that_the_server_chooses(draft: Draft) {
    let site = Site::bind().await;
    let (sender, mut sessions) = channel::<Session>(1);
    let choose = async move |upgrade: WebTransportUpgrade| {
        let upgrade = upgrade.protocols(["c", "b"]);
        upgrade.on_session(async move |session| sender.send(session).await.unwrap())
    };
    tokio::spawn(site.server().serve(Router::new().route("/", any(choose))));

    let (returned, session) = site.browse(case(draft, "offers"), sessions.recv()).await;

    assert_eq!(returned, "b");
    assert_eq!(session.unwrap().protocol(), Some("b"));
}

async fn no_subprotocol_is_agreed_on_unless_the_server_chooses(draft: Draft) {
    let site = Site::bind().await;
    let (app, mut sessions) = handing_over();
    tokio::spawn(site.server().serve(app));

    let (returned, session) = site.browse(case(draft, "offers"), sessions.recv()).await;

    assert_eq!(returned, "");
    assert_eq!(session.unwrap().protocol(), None);
}

async fn fifty_sessions_of_one_page_are_open_at_once(draft: Draft) {
    let site = Site::bind().await;
    let (app, mut sessions) = handing_over();
    tokio::spawn(site.server().serve(app));

    let (returned, _sessions) = site
        .browse(case(draft, "fifty"), async {
            let mut open = Vec::new();
            while open.len() < 50 {
                open.push(sessions.recv().await.unwrap());
            }
            for session in &open {
                assert_eq!(session.connection().generation(), draft.generation());
                echo(session).await;
            }
            open
        })
        .await;

    let echoes: Value = (0..50).map(|index| format!("session {index}")).collect();
    assert_eq!(returned, echoes);
}

async fn echo(session: &Session) {
    let mut stream = session.accept_bi().await.unwrap();
    let content = stream.recv.read_to_end(1024).await.unwrap();
    stream.send.write_all(&content).await.unwrap();
    stream.send.finish().unwrap();
}

/// What a page learns of a rejection, by `ready` and by `closed`.
fn rejected() -> Value {
    let failure =
        json!({ "name": "WebTransportError", "source": "session", "streamErrorCode": null });
    json!([failure, failure])
}

fn case(draft: Draft, name: &'static str) -> Case {
    Case::new(draft, include_str!("opening.js"), name)
}
