//! What each side learns of the other's request and answer.

use http::{HeaderName, HeaderValue, StatusCode};
use tower::ServiceExt;
use web_transport_quinn::proto::{ConnectError as ProtoError, ConnectResponse};
use web_transport_quinn::{ClientError, ConnectError};
use wt_connection::{Generation, Protocols};

use crate::ours::{REJECTIONS, Server, connector, in_time, rejected_with};
use crate::web_transport_quinn::peer::{
    TheirServer, client, from_our_client, from_their_client, request,
};

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
async fn our_client_and_their_server_agree_on_a_subprotocol() {
    in_time(async {
        let mut server = TheirServer::bind();
        let (target, connector) = (server.target(), connector(server.hash));
        let accept = async {
            let request = server.request().await;
            let chosen = ConnectResponse::OK.with_protocol("v1");
            let offered = request.protocols.clone();
            (offered, request.respond(chosen).await.unwrap())
        };
        let open = async {
            let connection = connector.oneshot(target).await.unwrap();
            let offer = Protocols::new(["v2", "v1"]);
            let request = http::Request::get("/").extension(offer).body(()).unwrap();
            connection.oneshot(request).await.unwrap().into_body()
        };

        let ((offered, theirs), ours) = tokio::join!(accept, open);

        assert_eq!(offered, ["v2", "v1"]);
        assert_eq!(
            (theirs.protocol(), ours.protocol()),
            (Some("v1"), Some("v1"))
        );
    })
    .await;
}

#[tokio::test]
async fn our_server_and_their_client_agree_on_a_subprotocol() {
    in_time(async {
        let server = Server::bind();
        let request = request(&server.url("/"))
            .with_protocol("v2")
            .with_protocol("v1");
        let accept = async {
            let request = server.request().await;
            assert_eq!(request.protocols(), ["v2", "v1"]);
            request.select_protocol(["v1"]).accept().await.unwrap()
        };

        let (ours, theirs) = tokio::join!(accept, async {
            client(&server).connect(request).await.unwrap()
        });

        assert_eq!(
            (theirs.protocol(), ours.protocol()),
            (Some("v1"), Some("v1"))
        );
    })
    .await;
}

#[tokio::test]
async fn our_server_reads_the_headers_of_their_client() {
    in_time(async {
        let server = Server::bind();
        let client = client(&server);
        let question = HeaderName::from_static("x-question");
        let request = request(&server.url("/room?key=1"))
            .with_header(question, HeaderValue::from_static("why"));
        let accept = async {
            let request = server.request().await;
            let seen = (request.uri().to_string(), request.headers().clone());
            (seen, request.accept().await.unwrap())
        };

        let (((uri, headers), _ours), theirs) = tokio::join!(accept, client.connect(request));

        theirs.unwrap();
        assert_eq!(uri, server.url("/room?key=1"));
        assert_eq!(headers["x-question"], "why");
    })
    .await;
}

#[tokio::test]
async fn their_server_reads_the_headers_of_our_client() {
    in_time(async {
        let mut server = TheirServer::bind();
        let url = server.url("/room?key=1");
        let (target, connector) = (server.target(), connector(server.hash));
        let accept = async {
            let request = server.request().await;
            let seen = (request.url.to_string(), request.headers.clone());
            (seen, request.ok().await.unwrap())
        };
        let open = async {
            let connection = connector.oneshot(target).await.unwrap();
            let request = http::Request::get("/room?key=1").header("x-question", "why");
            connection.oneshot(request.body(()).unwrap()).await.unwrap()
        };

        let (((seen, headers), _theirs), response) = tokio::join!(accept, open);

        assert_eq!(seen, url);
        assert_eq!(headers["x-question"], "why");
        assert_eq!(response.status(), StatusCode::OK);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_client_reads_the_status_that_our_server_rejects_with() {
    in_time(async {
        for status in REJECTIONS {
            let server = Server::bind();
            let client = client(&server);
            let reject = async { server.request().await.reject(status).await.unwrap() };

            let request = request(&server.url("/"));
            let ((), theirs) = tokio::join!(reject, client.connect(request));

            let error = theirs.unwrap_err();
            let ClientError::HttpError(ConnectError::ProtoError(ProtoError::WrongStatus(read))) =
                error
            else {
                panic!("{error:?}");
            };
            assert_eq!(read, Some(status));
        }
    })
    .await;
}

#[tokio::test]
async fn our_client_reads_the_status_that_their_server_rejects_with() {
    in_time(async {
        for status in REJECTIONS {
            let mut server = TheirServer::bind();
            let url = server.url("/");
            let connector = connector(server.hash);
            let reject = async {
                let request = server.request().await;
                // Theirs drops a connection with its last handle, sent or not.
                let connection = request.conn().clone();
                request.reject(status).await.unwrap();
                connection
            };

            let (_connection, opened) = tokio::join!(reject, connector.open(&url));

            assert_eq!(rejected_with(opened), status);
        }
    })
    .await;
}
