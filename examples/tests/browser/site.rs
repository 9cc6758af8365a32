//! What the browser meets: a page that runs a case, and a server of ours.

use std::time::Duration;

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::{any, get, post};
use serde_json::{Value, from_str, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;
use wt_connection::{
    CertificateHash, Endpoint, Identity, Origins, Server, Session, WebTransportUpgrade,
};

use crate::chromium::Chromium;
use crate::draft::Draft;

pub(crate) struct Site {
    endpoint: Endpoint,
    hash: CertificateHash,
    pages: TcpListener,
}

/// A function that a script exports, for the page to run.
pub(crate) struct Case {
    draft: Draft,
    script: &'static str,
    name: &'static str,
    flags: &'static [&'static str],
}

impl Case {
    pub(crate) fn new(draft: Draft, script: &'static str, name: &'static str) -> Self {
        Self {
            draft,
            script,
            name,
            flags: &[],
        }
    }

    /// Starts the browser with further flags.
    pub(crate) fn flags(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }
}

impl Site {
    pub(crate) async fn bind() -> Self {
        let identity = Identity::self_signed(["127.0.0.1"]).unwrap();
        let hash = identity.certificate_hash();
        Self {
            endpoint: Endpoint::server(LOOPBACK.parse().unwrap(), identity).unwrap(),
            hash,
            pages: TcpListener::bind(LOOPBACK).await.unwrap(),
        }
    }

    /// The origin of the page.
    pub(crate) fn origin(&self) -> String {
        // A browser takes this host for one as secure as HTTPS.
        let port = self.pages.local_addr().unwrap().port();
        format!("http://localhost:{port}")
    }

    /// Where the server is to be asked for sessions.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.endpoint.local_address().unwrap())
    }

    /// A server that lets the page in.
    pub(crate) fn server(&self) -> Server {
        Server::new(self.endpoint.clone()).origins(Origins::list([self.origin()]))
    }

    /// Runs a case and our part of it until both are done; gives what either returns.
    pub(crate) async fn browse<T>(self, case: Case, ours: impl Future<Output = T>) -> (Value, T) {
        let origin = self.origin();
        let (app, mut reports) = self.pages(&case);
        let mut browser = Chromium::start(&origin, &[case.draft.flags(), case.flags].concat());
        let run = async {
            let returned = async {
                let report: Value = from_str(&reports.recv().await.unwrap()).unwrap();
                assert_eq!(report["failed"], Value::Null, "the page failed");
                report["returned"].clone()
            };
            tokio::join!(returned, ours)
        };
        tokio::select! {
            status = browser.ended() => panic!("the browser ended: {status}"),
            done = timeout(LIMIT, run) => done.expect("the case ends in time"),
            end = async { axum::serve(self.pages, app).await } => panic!("no more pages: {end:?}"),
        }
    }

    /// The page of a case, and what it reports.
    fn pages(&self, case: &Case) -> (Router, Receiver<String>) {
        let (sender, reports) = channel(1);
        let setup = json!({
            "name": case.name,
            "url": self.url(),
            "hash": self.hash.as_bytes(),
        });
        let report = async move |report| sender.send(report).await.unwrap();
        let app = Router::new()
            .route("/", get(Html(include_str!("page.html"))))
            .route("/page.js", get(script(include_str!("page.js"))))
            .route("/case.js", get(script(case.script)))
            .route("/setup", get(setup.to_string()))
            .route("/report", post(report));
        (app, reports)
    }
}

/// Runs a case that opens one session, with our part in it.
pub(crate) async fn in_session<T>(case: Case, ours: impl AsyncFnOnce(&Session) -> T) -> (Value, T) {
    let site = Site::bind().await;
    let (app, mut sessions) = handing_over();
    tokio::spawn(site.server().serve(app));
    let generation = case.draft.generation();
    let ours = async {
        let session = sessions.recv().await.unwrap();
        assert_eq!(session.connection().generation(), generation);
        (ours(&session).await, session)
    };
    let (returned, (ours, _session)) = site.browse(case, ours).await;
    (returned, ours)
}

/// Accepts every session at `/`, for a test to serve it.
pub(crate) fn handing_over() -> (Router, Receiver<Session>) {
    let (sender, sessions) = channel(1);
    let accept = async move |upgrade: WebTransportUpgrade| {
        upgrade.on_session(async move |session| {
            // A test that is over wants it no more.
            let _ = sender.send(session).await;
        })
    };
    (Router::new().route("/", any(accept)), sessions)
}

fn script(content: &'static str) -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "text/javascript")], content)
}

const LOOPBACK: &str = "127.0.0.1:0";

/// A busy machine may need most of it to start the browser.
const LIMIT: Duration = Duration::from_secs(90);
