//! What each side learns of the other's request and answer.

use webtrans_quinn::{ClientError, ConnectError};
use wt_connection::Generation;

use crate::ours::{REJECTIONS, Server, connector, in_time, rejected_with};
use crate::webtrans_quinn::peer::{TheirServer, client, from_our_client, from_their_client};

#[tokio::test]
async fn their_client_and_our_server_go_by_the_newest_drafts() {
    in_time(async {
        let (ours, _theirs) = from_their_client().await;
        assert_eq!(ours.connection().generation(), Generation::Draft15);
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_go_by_the_newest_drafts() {
    in_time(async {
        let (ours, _theirs) = from_our_client().await;
        assert_eq!(ours.connection().generation(), Generation::Draft15);
    })
    .await;
}

#[tokio::test]
async fn our_server_reads_the_url_of_their_client() {
    in_time(async {
        let server = Server::bind();
        let client = client(&server);
        let url = server.url("/room?key=1");
        let accept = async {
            let request = server.request().await;
            let seen = request.uri().to_string();
            (seen, request.accept().await.unwrap())
        };

        let ((seen, _ours), theirs) = tokio::join!(accept, client.connect(url.parse().unwrap()));

        theirs.unwrap();
        assert_eq!(seen, url);
    })
    .await;
}

#[tokio::test]
async fn their_server_reads_the_url_of_our_client() {
    in_time(async {
        let mut server = TheirServer::bind();
        let url = server.url("/room?key=1");
        let connector = connector(server.hash);
        let accept = async {
            let request = server.request().await;
            let seen = request.url().to_string();
            (seen, request.ok().await.unwrap())
        };

        let ((seen, _theirs), ours) = tokio::join!(accept, connector.open(&url));

        ours.unwrap();
        assert_eq!(seen, url);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_client_reads_the_status_that_our_server_rejects_with() {
    in_time(async {
        for status in REJECTIONS {
            let server = Server::bind();
            let client = client(&server);
            let url = server.url("/").parse().unwrap();
            let reject = async { server.request().await.reject(status).await.unwrap() };

            let ((), theirs) = tokio::join!(reject, client.connect(url));

            let error = theirs.unwrap_err();
            let ClientError::HttpError(ConnectError::ErrorStatus(read)) = error else {
                panic!("{error:?}");
            };
            assert_eq!(read, status);
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
            let reject = async { server.request().await.close(status).await.unwrap() };

            let ((), opened) = tokio::join!(reject, connector.open(&url));

            assert_eq!(rejected_with(opened), status);
        }
    })
    .await;
}
