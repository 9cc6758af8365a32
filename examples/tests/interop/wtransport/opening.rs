//! What each side learns of the other's request and answer.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tower::ServiceExt;
use wt_connection::Generation;
use wtransport::endpoint::ConnectOptions;
use wtransport::error::ConnectingError;

use crate::ours::{REJECTIONS, Server, connector, in_time, rejected_with};
use crate::wtransport::peer::{TheirServer, client, from_our_client, from_their_client};

#[tokio::test]
async fn their_client_and_our_server_go_by_draft_07() {
    in_time(async {
        let (ours, _theirs) = from_their_client().await;
        assert_eq!(ours.connection().generation(), Generation::Draft07);
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_go_by_draft_07() {
    in_time(async {
        let (ours, _theirs) = from_our_client().await;
        assert_eq!(ours.connection().generation(), Generation::Draft07);
    })
    .await;
}

#[tokio::test]
async fn our_server_reads_the_headers_of_their_client() {
    in_time(async {
        let server = Server::bind();
        let client = client(&server);
        let options = ConnectOptions::builder(server.url("/room?key=1"))
            .add_header("x-question", "why")
            .build();
        let accept = async {
            let request = server.request().await;
            let seen = (request.uri().clone(), request.headers().clone());
            let answer = HeaderMap::from_iter([(
                HeaderName::from_static("x-answer"),
                HeaderValue::from_static("because"),
            )]);
            (seen, request.accept_with(answer).await.unwrap())
        };

        let (((uri, headers), _ours), theirs) = tokio::join!(accept, client.connect(options));

        theirs.unwrap();
        assert_eq!(uri.to_string(), server.url("/room?key=1"));
        assert_eq!(headers["x-question"], "why");
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_read_each_other_s_headers() {
    in_time(async {
        let server = TheirServer::bind();
        let accept = async {
            let request = server.request().await;
            assert_eq!(request.authority(), server.target().to_string());
            assert_eq!(request.path(), "/room?key=1");
            assert_eq!(request.headers()["x-question"], "why");
            let answer = [("x-answer", "because")];
            request.accept_with_headers(answer).await.unwrap()
        };
        let open = async {
            let connection = connector(server.hash).oneshot(server.target()).await;
            let request = http::Request::get("/room?key=1").header("x-question", "why");
            let request = request.body(()).unwrap();
            connection.unwrap().oneshot(request).await.unwrap()
        };

        let (_theirs, response) = tokio::join!(accept, open);

        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["x-answer"], "because");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_client_learns_that_our_server_rejects_it_and_no_status() {
    in_time(async {
        for status in REJECTIONS {
            let server = Server::bind();
            let client = client(&server);
            let reject = async { server.request().await.reject(status).await.unwrap() };

            let ((), theirs) = tokio::join!(reject, client.connect(server.url("/")));

            assert!(matches!(theirs, Err(ConnectingError::SessionRejected)));
        }
    })
    .await;
}

#[tokio::test]
async fn our_client_reads_the_status_that_their_server_rejects_with() {
    in_time(async {
        for status in REJECTIONS {
            let server = TheirServer::bind();
            let url = server.url("/");
            let connector = connector(server.hash);
            let reject = async {
                let request = server.request().await;
                match status {
                    StatusCode::FORBIDDEN => request.forbidden().await,
                    StatusCode::NOT_FOUND => request.not_found().await,
                    _ => request.too_many_requests().await,
                }
            };

            let ((), opened) = tokio::join!(reject, connector.open(&url));

            assert_eq!(rejected_with(opened), status);
        }
    })
    .await;
}
