//! What a subscriber of `tracing` sees: the spans of connections and sessions, and their ends.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::bounded::{until, within};
use common::serve::{Served, get, reply};
use common::{connected, raw, session};
use http::Request;
use tower::Service;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use wt_connection::{Limits, Upgrade};

#[tokio::test]
async fn a_session_is_inside_its_connection_on_both_sides() {
    within(async {
        let (log, _guard) = Log::start();
        let pair = connected().await;
        let opened = pair.client.open("/chat?token=secret");
        let accept = async { pair.server.accept().await.unwrap().accept().await.unwrap() };
        let (opened, _accepted) = tokio::join!(opened, accept);
        let id = opened.unwrap().id().to_string();

        let sessions = log.spans("session");

        assert_eq!(sessions.len(), 2);
        for (span, side, connection) in [
            (&sessions[0], "client", &pair.client),
            (&sessions[1], "server", &pair.server),
        ] {
            assert_eq!(span.fields["id"], id);
            assert_eq!(span.fields["connection"], connection.id().to_string());
            assert_eq!(span.fields["path"], "/chat");
            assert!(span.fields["authority"].starts_with("localhost"));
            let parent = span.parent.as_deref().unwrap();
            assert_eq!(parent.name, "connection");
            assert_eq!(parent.fields["id"], connection.id().to_string());
            assert_eq!(parent.fields["side"], side);
            let remote = connection.remote_address().to_string();
            assert_eq!(parent.fields["remote_address"], remote);
            assert!(parent.parent.is_none());
        }
        assert!(!log.text().contains("secret"));
    })
    .await;
}

#[tokio::test]
async fn a_connect_has_a_span_with_its_target() {
    within(async {
        let (log, _guard) = Log::start();
        let pair = connected().await;

        let connect = &log.spans("connect")[0];

        assert_eq!(connect.fields["id"], pair.client.id().to_string());
        let target = common::target(&pair.server_endpoint).to_string();
        assert_eq!(connect.fields["target"], target);
    })
    .await;
}

#[tokio::test]
async fn every_change_of_the_state_is_an_event() {
    within(async {
        let (log, _guard) = Log::start();
        let pair = connected().await;
        let _session = session(&pair.client, &pair.server).await;

        pair.client.drain();
        pair.client.close(7, "enough").await;

        let id = pair.client.id().to_string();
        let of_client = |event: &&Seen| event.fields.get("connection") == Some(&id);
        let events = log.events();
        let states = events.iter().filter(of_client);
        let states: Vec<_> = states
            .filter_map(|event| event.fields.get("state"))
            .collect();
        let all = ["connecting", "connected", "draining", "closing", "closed"];
        assert_eq!(states, all);
    })
    .await;
}

#[tokio::test]
async fn closes_are_events_with_code_and_reason_inside_their_spans() {
    within(async {
        let (log, _guard) = Log::start();
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;

        opened.close(42, "that is all");
        accepted.closed().await;
        opened.closed().await;
        pair.client.close(7, "enough").await;
        pair.server.closed().await;

        let events = log.events();
        let of = |message: &str| {
            let of = events.iter().filter(|event| event.message == message);
            of.cloned().collect::<Vec<_>>()
        };
        let sessions = of("session closed");
        assert_eq!(sessions.len(), 2);
        for event in sessions {
            assert_eq!(event.fields["code"], "42");
            assert_eq!(event.fields["reason"], "that is all");
            assert_eq!(event.parent.as_deref().unwrap().name, "session");
        }
        let closing = &of("closing")[0];
        assert_eq!(
            (&*closing.fields["code"], &*closing.fields["reason"]),
            ("7", "enough")
        );
        let there = &of("closed by the peer")[0];
        assert_eq!(there.fields["code"], 0x100.to_string());
        assert_eq!(there.parent.as_deref().unwrap().name, "connection");
    })
    .await;
}

#[tokio::test]
async fn refusals_are_events_inside_their_connection() {
    within(async {
        let (log, _guard) = Log::start();
        let limits = Limits::default().max_sessions(1).early_streams(0);
        let peer = raw::session(limits).await;

        let (mut send, mut recv) = peer.peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        raw::reset_code(&mut recv).await;
        peer.peer.uni(400, b"early").await.stopped().await.unwrap();

        for message in ["a request over a limit", "a stream came too early"] {
            let parent = log.event(message).parent.unwrap();
            assert_eq!(parent.name, "connection", "{message}");
        }
        let refused = log.event("a request over a limit").fields;
        assert_eq!(refused["limit"], "max_sessions");
        assert_eq!(refused["stream"], u64::from(send.id()).to_string());
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_slow_or_large_are_events_inside_their_connection() {
    // Those whose headers come late were read by a task without a span.
    within(async {
        let (log, _guard) = Log::start();
        let limits = Limits::default().header_block(100);
        let limits = limits.header_timeout(Duration::from_secs(1));
        let (_endpoint, peer, _server) = raw::client(limits).await;

        let (mut large, mut answer) = peer.connect_stream().await;
        let request = raw::request("GET", "/", &[("long", &"a".repeat(200))]);
        large.write_all(&request).await.unwrap();
        let _ = answer.read_to_end(100).await;
        let (mut slow, mut refused) = peer.connect_stream().await;
        slow.write_all(&raw::connect("/")[..9]).await.unwrap();
        raw::reset_code(&mut refused).await;

        let events = log.events();
        let over = events
            .iter()
            .filter(|event| event.message == "a request over a limit");
        let over = over.map(|event| (&*event.fields["limit"], event.parent.as_deref()));
        let over: Vec<_> = over
            .map(|(limit, span)| (limit, span.unwrap().name))
            .collect();
        assert_eq!(
            over,
            [
                ("header_block", "connection"),
                ("header_timeout", "connection")
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_fails_is_an_event_inside_its_span() {
    within(async {
        let (log, _guard) = Log::start();
        let (server, mut connector) = common::pair();
        let connecting = connector.call(common::target(&server));
        let id = connecting.id().to_string();
        let refuse = async { server.accept().await.unwrap().refuse() };

        let (outcome, ()) = tokio::join!(connecting, refuse);

        assert!(outcome.is_err());
        let failed = log.event("no connection");
        assert_eq!(failed.fields["connection"], id);
        let span = failed.parent.unwrap();
        assert_eq!((span.name, &span.fields["id"]), ("connect", &id));
        assert_eq!(span.fields["target"], common::target(&server).to_string());
    })
    .await;
}

#[tokio::test]
async fn what_the_peer_gives_as_its_reason_is_recorded_as_text() {
    // It was shown as it came, whatever it does to a terminal.
    within(async {
        let (log, _guard) = Log::start();
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;

        peer.quic.close(7_u8.into(), b"\x1b[31mred");
        server.closed().await;

        let closed = log.event("closed by the peer");
        assert_eq!(closed.fields["reason"], "\x1b[31mred");
        assert!(closed.texts.contains("reason"), "{closed:?}");
    })
    .await;
}

#[tokio::test]
async fn handlers_run_inside_their_connection_and_what_serves_a_session_inside_that() {
    within(async {
        let (log, _guard) = Log::start();
        let served = Served::by(|mut request: Request<wt_connection::Body>| {
            let upgrade = Upgrade::of(&mut request);
            let called = if upgrade.is_some() {
                "session"
            } else {
                "plain"
            };
            tracing::info!("called for {called}");
            async move {
                if let Some(upgrade) = upgrade {
                    tracing::info!("accepting");
                    let session = upgrade.session();
                    upgrade.spawn(async move {
                        tracing::info!("serving");
                        drop(session.await);
                    });
                } else {
                    tracing::info!("handling");
                }
                Ok(reply(""))
            }
        });
        let client = served.client().await;

        get(&client, "/").await.unwrap();
        let opened = client.open("/chat").await.unwrap();
        opened.closed().await;
        until(|| log.events().iter().any(|event| event.message == "serving")).await;

        for message in ["called for plain", "handling"] {
            let connection = log.event(message).parent.unwrap();
            assert_eq!(connection.name, "connection");
            assert_eq!(connection.fields["side"], "server");
        }
        for message in ["called for session", "accepting", "serving"] {
            let session = log.event(message).parent.unwrap();
            assert_eq!(
                (session.name, &*session.fields["path"]),
                ("session", "/chat")
            );
            let connection = session.parent.unwrap();
            assert_eq!(connection.name, "connection");
            assert_eq!(connection.fields["side"], "server");
        }
    })
    .await;
}

/// All spans and events of one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

/// A span or an event.
#[derive(Clone, Debug, Default)]
struct Seen {
    name: &'static str,
    /// Of an event.
    message: String,
    fields: BTreeMap<&'static str, String>,
    /// Those of them that were recorded as text, which subscribers escape.
    texts: BTreeSet<&'static str>,
    parent: Option<Box<Self>>,
    span: Option<Id>,
}

impl Log {
    /// Begins; the runtime of a test has one thread.
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = set_default(Registry::default().with(log.clone()));
        (log, guard)
    }

    fn spans(&self, name: &str) -> Vec<Seen> {
        let seen = self.0.lock().unwrap();
        let spans = seen
            .iter()
            .filter(|seen| seen.span.is_some() && seen.name == name);
        spans.cloned().collect()
    }

    fn events(&self) -> Vec<Seen> {
        let seen = self.0.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.span.is_none())
            .cloned()
            .collect()
    }

    /// The first event of this message.
    fn event(&self, message: &str) -> Seen {
        let events = self.events();
        let event = events.into_iter().find(|event| event.message == message);
        event.unwrap_or_else(|| panic!("no event: {message}"))
    }

    fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }

    fn span(&self, id: &Id) -> Option<Box<Seen>> {
        let seen = self.0.lock().unwrap();
        let span = seen.iter().rfind(|seen| seen.span.as_ref() == Some(id));
        span.cloned().map(Box::new)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut seen = Seen {
            name: attributes.metadata().name(),
            span: Some(id.clone()),
            ..Seen::default()
        };
        attributes.record(&mut seen);
        let parent = context.span(id).unwrap().parent();
        seen.parent = parent.and_then(|parent| self.span(&parent.id()));
        self.0.lock().unwrap().push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut seen = self.0.lock().unwrap();
        let span = seen.iter_mut().rfind(|seen| seen.span.as_ref() == Some(id));
        values.record(span.unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        let parent = context.event_span(event);
        seen.parent = parent.and_then(|parent| self.span(&parent.id()));
        self.0.lock().unwrap().push(seen);
    }
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
        self.texts.insert(field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => drop(self.fields.insert(name, format!("{value:?}"))),
        }
    }
}
