//! The request for a session and its answer.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::raw::{self, ENABLED};
use common::{Pair, connected};
use http::header::{CONNECTION, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower::{Service, ServiceExt};
use wt_connection::{OpenError, Origins, Session, SessionError, SessionRequest};

#[tokio::test]
async fn the_requests_headers_reach_the_server() {
    within(async {
        let pair = connected().await;
        let mut request = get("/");
        let headers = request.headers_mut();
        headers.insert("x-one", HeaderValue::from_static("1"));
        headers.append("x-two", HeaderValue::from_static("2"));
        headers.append("x-two", HeaderValue::from_static("3"));
        headers.insert("x-any", HeaderValue::from_bytes(b"\xe4\xf6\xfc").unwrap());

        let (_opening, arrived) = ask(&pair, request).await;

        assert_eq!(arrived.headers()["x-one"], "1");
        assert_eq!(values(arrived.headers(), "x-two"), ["2", "3"]);
        assert_eq!(arrived.headers()["x-any"].as_bytes(), b"\xe4\xf6\xfc");
    })
    .await;
}

#[tokio::test]
async fn path_query_and_authority_reach_the_server() {
    within(async {
        let pair = connected().await;

        let (_opening, arrived) = ask(&pair, get("/a/b%20c?d=e&f")).await;

        let target = common::target(&pair.server_endpoint);
        assert_eq!(arrived.uri().path(), "/a/b%20c");
        assert_eq!(arrived.uri().query(), Some("d=e&f"));
        assert_eq!(arrived.uri().authority(), Some(target.authority()));
        assert_eq!(arrived.uri().scheme_str(), Some("https"));
    })
    .await;
}

#[tokio::test]
async fn a_whole_uri_keeps_its_authority() {
    within(async {
        let pair = connected().await;

        let (_opening, arrived) = ask(&pair, get("https://other.example:44/x")).await;

        assert_eq!(arrived.uri(), "https://other.example:44/x");
    })
    .await;
}

#[tokio::test]
async fn the_origin_can_be_read_where_there_is_one() {
    within(async {
        let pair = connected().await;
        let mut with = get("/");
        let origin = HeaderValue::from_static("https://page.example");
        with.headers_mut().insert(ORIGIN, origin.clone());

        let (_opening, arrived) = ask(&pair, with).await;
        let (_other_opening, without) = ask(&pair, get("/")).await;

        assert_eq!(arrived.origin(), Some(&origin));
        assert_eq!(without.origin(), None);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_the_same_authority_is_told_from_another() {
    within(async {
        let pair = connected().await;
        let own = format!("https://{}", common::target(&pair.server_endpoint));

        for (origin, admitted) in [(&own[..], true), ("https://localhost", false)] {
            let mut request = get("/");
            let value = HeaderValue::from_str(origin).unwrap();
            request.headers_mut().insert(ORIGIN, value);
            let (_opening, arrived) = ask(&pair, request).await;

            let admits = Origins::same_authority().admits(arrived.request());
            assert_eq!(admits, admitted, "{origin}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_headers_of_an_acceptance_reach_the_client() {
    within(async {
        let pair = connected().await;
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));

        let (opening, request) = ask(&pair, get("/")).await;
        let (opened, accepted) = tokio::join!(opening, request.accept_with(headers));

        let opened = opened.unwrap().unwrap();
        assert_eq!(opened.status(), StatusCode::OK);
        assert_eq!(values(opened.headers(), "set-cookie"), ["a=1", "b=2"]);
        assert_eq!(opened.body().id(), accepted.unwrap().id());
    })
    .await;
}

#[tokio::test]
async fn a_rejection_tells_status_and_headers() {
    within(async {
        let pair = connected().await;
        let answer = Response::builder().status(429).header("retry-after", "7");

        let rejection = reject(&pair, answer.body(()).unwrap()).await;

        assert_eq!(rejection.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(rejection.headers()["retry-after"], "7");
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    within(async {
        let pair = connected().await;
        let answer = Response::builder().status(302).header(LOCATION, "/there");

        let rejection = reject(&pair, answer.body(()).unwrap()).await;

        assert_eq!(rejection.status(), StatusCode::FOUND);
        assert_eq!(rejection.headers()[LOCATION], "/there");
        let (_opening, next) = ask(&pair, get("/next")).await;
        assert_eq!(next.uri().path(), "/next");
    })
    .await;
}

#[tokio::test]
async fn every_status_outside_2xx_is_a_rejection() {
    within(async {
        let pair = connected().await;

        for status in [300, 304, 400, 401, 403, 404, 405, 421, 431, 500, 503, 599] {
            let answer = Response::builder().status(status).body(()).unwrap();
            assert_eq!(reject(&pair, answer).await.status(), status);
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_dropped_unanswered_is_rejected_with_500() {
    within(async {
        let pair = connected().await;

        let (opening, request) = ask(&pair, get("/")).await;
        drop(request);

        let rejection = rejected(opening.await.unwrap());
        assert_eq!(rejection.status(), StatusCode::INTERNAL_SERVER_ERROR);
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "a session is not rejected with 204")]
async fn a_rejection_with_a_success_panics() {
    within(async {
        let pair = connected().await;
        let answer = Response::builder().status(204).body(()).unwrap();
        let (_opening, request) = ask(&pair, get("/")).await;

        let _ = request.reject_with(answer).await;
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "a session is not rejected with 103")]
async fn a_rejection_with_an_interim_status_panics() {
    within(async {
        let pair = connected().await;
        let (_opening, request) = ask(&pair, get("/")).await;

        let _ = request.reject(StatusCode::from_u16(103).unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn a_header_of_http_1_is_refused_at_the_client() {
    within(async {
        let pair = connected().await;

        for (name, value) in [
            ("connection", "close"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "1"),
            ("te", "gzip"),
        ] {
            let mut request = get("/");
            let value = HeaderValue::from_static(value);
            request.headers_mut().insert(name, value);
            let refused = call(&pair, request).await;
            assert!(
                matches!(refused, Err(OpenError::InvalidRequest(_))),
                "{name}"
            );
        }

        let (_opening, request) = ask(&pair, get("/after")).await;
        assert_eq!(request.uri().path(), "/after");
    })
    .await;
}

#[tokio::test]
async fn a_header_of_http_1_is_refused_at_the_server_and_the_client_gets_500() {
    within(async {
        let pair = connected().await;
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));

        let (opening, request) = ask(&pair, get("/")).await;
        let refused = request.accept_with(headers).await;

        assert!(matches!(refused, Err(SessionError::InvalidResponse)));
        assert_eq!(rejected(opening.await.unwrap()).status(), 500);
    })
    .await;
}

#[tokio::test]
async fn a_uri_of_another_scheme_is_refused() {
    within(async {
        let pair = connected().await;

        let refused = call(&pair, get("http://localhost/")).await;

        assert!(matches!(refused, Err(OpenError::InvalidRequest(_))));
    })
    .await;
}

#[tokio::test]
async fn every_status_in_2xx_opens_a_session() {
    within(async {
        let (peer, client, _connector) =
            raw::server(&[&ENABLED[..], &[(0xc671_706a, 9)]].concat()).await;

        for status in ["200", "201", "204", "299"] {
            let mut service = client.clone();
            let opening = service.ready().await.unwrap().call(get("/"));
            let answer = async {
                let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
                send.write_all(&raw::response(status)).await.unwrap();
                (send, recv)
            };
            let (opened, _streams) = tokio::join!(opening, answer);
            assert_eq!(opened.unwrap().status().as_str(), status);
        }
    })
    .await;
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let answer = async {
            let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
            send.write_all(&raw::response("103")).await.unwrap();
            send.write_all(&raw::response("204")).await.unwrap();
            (send, recv)
        };

        let mut service = client.clone();
        let opening = service.ready().await.unwrap().call(get("/"));
        let (opened, _streams) = tokio::join!(opening, answer);

        assert_eq!(opened.unwrap().status(), StatusCode::NO_CONTENT);
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_no_response_is_malformed_and_the_connection_lives() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        for answer in [
            raw::headers(&[("x", "y")]),
            raw::response("2000"),
            Vec::new(),
        ] {
            let answered = async {
                let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();
                send.write_all(&answer).await.unwrap();
                send.finish().unwrap();
                let _ = send.stopped().await;
            };
            let (opened, ()) = tokio::join!(client.open("/"), answered);
            assert!(matches!(opened, Err(OpenError::Malformed)), "{opened:?}");
        }

        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

type Opening = tokio::task::JoinHandle<Result<Response<Session>, OpenError>>;

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

async fn call(pair: &Pair, request: Request<()>) -> Result<Response<Session>, OpenError> {
    pair.client.clone().oneshot(request).await
}

/// Asks for a session; what is asked for waits for its answer.
async fn ask(pair: &Pair, request: Request<()>) -> (Opening, SessionRequest) {
    let opening = tokio::spawn(pair.client.clone().oneshot(request));
    (opening, pair.server.accept().await.unwrap())
}

async fn reject(pair: &Pair, answer: Response<()>) -> Response<()> {
    let (opening, request) = ask(pair, get("/")).await;
    request.reject_with(answer).await.unwrap();
    rejected(opening.await.unwrap())
}

fn rejected(opened: Result<Response<Session>, OpenError>) -> Response<()> {
    match opened {
        Err(OpenError::Rejected(response)) => *response,
        other => panic!("not rejected: {other:?}"),
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}
