//! What client and server agree to speak in a session.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::{Pair, connected};
use http::{HeaderMap, HeaderValue, Request, Response};
use tower::ServiceExt;
use wt_connection::{OpenError, Protocols, Session, SessionError, SessionRequest};

const OFFER: &str = "wt-available-protocols";
const CHOICE: &str = "wt-protocol";

#[tokio::test]
async fn both_sides_tell_what_was_agreed_on() {
    within(async {
        let pair = connected().await;
        let offer = Protocols::new(["chat.v3", "chat.v2", "chat.v1"]);

        let (opening, request) = ask(&pair, offering(offer)).await;
        assert_eq!(request.protocols(), ["chat.v3", "chat.v2", "chat.v1"]);
        let request = request.select_protocol(["chat.v0", "chat.v1", "chat.v2"]);
        assert_eq!(request.selected_protocol(), Some("chat.v1"));
        let accepted = request.accept().await.unwrap();

        let opened = opening.await.unwrap().unwrap();
        assert_eq!(opened.headers()[CHOICE], "\"chat.v1\"");
        assert_eq!(opened.body().protocol(), Some("chat.v1"));
        assert_eq!(accepted.protocol(), Some("chat.v1"));
    })
    .await;
}

#[tokio::test]
async fn nothing_in_common_leaves_a_session_without() {
    within(async {
        let pair = connected().await;

        let (opening, request) = ask(&pair, offering(Protocols::new(["chat.v2"]))).await;
        let request = request.select_protocol(["chat.v1"]);
        assert_eq!(request.selected_protocol(), None);
        let accepted = request.accept().await.unwrap();

        let opened = opening.await.unwrap().unwrap();
        assert!(!opened.headers().contains_key(CHOICE));
        assert_eq!(opened.body().protocol(), None);
        assert_eq!(accepted.protocol(), None);
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_the_server_does_not_answer_is_no_fault() {
    within(async {
        let pair = connected().await;

        let (opening, request) = ask(&pair, offering(Protocols::new(["chat.v2"]))).await;
        let _accepted = request.accept().await.unwrap();

        assert_eq!(opening.await.unwrap().unwrap().body().protocol(), None);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_offers_nothing_is_answered_nothing() {
    within(async {
        let pair = connected().await;

        let (opening, request) = ask(&pair, get()).await;
        assert_eq!(request.protocols(), [""; 0]);
        let accepted = request.select_protocol(["chat.v1"]).accept().await.unwrap();

        assert_eq!(opening.await.unwrap().unwrap().body().protocol(), None);
        assert_eq!(accepted.protocol(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_offered_takes_the_place_of_a_header_by_hand() {
    within(async {
        let pair = connected().await;
        let mut request = offering(Protocols::new(["chat.v2"]));
        let by_hand = HeaderValue::from_static("other");
        request.headers_mut().append(OFFER, by_hand.clone());
        request.headers_mut().append(OFFER, by_hand);

        let (_opening, request) = ask(&pair, request).await;

        let sent: Vec<_> = request.headers().get_all(OFFER).iter().collect();
        assert_eq!(sent, ["\"chat.v2\""]);
    })
    .await;
}

#[tokio::test]
async fn a_header_by_hand_is_sent_as_it_is_and_offers_what_it_says() {
    within(async {
        let pair = connected().await;
        let by_hand = |value| Request::get("/").header(OFFER, value).body(()).unwrap();

        let (opening, request) = ask(&pair, by_hand("\"chat.v2\";q=1, \"chat.v1\"")).await;
        assert_eq!(request.headers()[OFFER], "\"chat.v2\";q=1, \"chat.v1\"");
        let _accepted = request.select_protocol(["chat.v2"]).accept().await.unwrap();
        let opened = opening.await.unwrap().unwrap();
        assert_eq!(opened.body().protocol(), Some("chat.v2"));

        let (_opening, request) = ask(&pair, by_hand("17")).await;
        assert_eq!(request.headers()[OFFER], "17");
        assert_eq!(request.protocols(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_server_may_choose_by_hand() {
    within(async {
        let pair = connected().await;

        let (opening, request) = ask(&pair, offering(Protocols::new(["v2", "v1"]))).await;
        let accepted = request.accept_with(choice("\"v1\"")).await.unwrap();
        let opened = opening.await.unwrap().unwrap();
        assert_eq!(accepted.protocol(), Some("v1"));
        assert_eq!(opened.body().protocol(), Some("v1"));

        let (opening, request) = ask(&pair, offering(Protocols::new(["v2", "v1"]))).await;
        let request = request.select_protocol(["v2"]);
        let accepted = request.accept_with(choice("\"v1\"")).await.unwrap();
        let opened = opening.await.unwrap().unwrap();
        assert_eq!(accepted.protocol(), Some("v2"));
        assert_eq!(opened.body().protocol(), Some("v2"));
    })
    .await;
}

#[tokio::test]
async fn a_server_cannot_choose_what_is_not_offered() {
    within(async {
        let pair = connected().await;

        for wrong in ["v3", "17", "\"v2"] {
            let (opening, request) = ask(&pair, offering(Protocols::new(["v2"]))).await;
            let refused = request.accept_with(choice(wrong)).await;

            assert!(
                matches!(refused, Err(SessionError::InvalidResponse)),
                "{wrong}: {refused:?}"
            );
            match opening.await.unwrap() {
                Err(OpenError::Rejected(response)) => assert_eq!(response.status(), 500),
                other => panic!("{wrong}: not rejected: {other:?}"),
            }
        }
    })
    .await;
}

type Opened = Result<Response<Session>, OpenError>;

fn get() -> Request<()> {
    Request::get("/").body(()).unwrap()
}

fn offering(protocols: Protocols) -> Request<()> {
    Request::get("/").extension(protocols).body(()).unwrap()
}

fn choice(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(CHOICE.parse().unwrap(), value.parse().unwrap())])
}

/// Asks for a session; what is asked for waits for its answer.
async fn ask(
    pair: &Pair,
    request: Request<()>,
) -> (tokio::task::JoinHandle<Opened>, SessionRequest) {
    let opening = tokio::spawn(pair.client.clone().oneshot(request));
    (opening, pair.server.accept().await.unwrap())
}
