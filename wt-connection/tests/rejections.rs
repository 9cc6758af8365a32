//! Sessions that a server will not have.
#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{connector, server_builder, target};
use http::StatusCode;
use tower::ServiceExt;
use wt_connection::{Connection, Endpoint, OpenError, SessionRequest};

/// The answer used to race with the end of the connection, whose last handle the request was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_arrives_though_the_last_handle_is_dropped() {
    let (identity, builder) = server_builder();
    let (server, connector) = (builder.bind().unwrap(), connector(&identity));

    for _ in 0..50 {
        let connect = connector.clone().oneshot(target(&server));
        let reject = async {
            let request = only_request(&server).await;
            request.reject(StatusCode::FORBIDDEN).await.unwrap();
        };

        let rejected = tokio::spawn(async { rejected_with(connect.await.unwrap()).await });
        reject.await;

        assert_eq!(rejected.await.unwrap(), StatusCode::FORBIDDEN);
    }
}

/// As above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_dropped_with_the_last_handle_is_answered() {
    let (identity, builder) = server_builder();
    let (server, connector) = (builder.bind().unwrap(), connector(&identity));

    for _ in 0..50 {
        let connect = connector.clone().oneshot(target(&server));

        let rejected = tokio::spawn(async { rejected_with(connect.await.unwrap()).await });
        drop(only_request(&server).await);

        assert_eq!(rejected.await.unwrap(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

/// A request that is the one handle of its connection.
async fn only_request(server: &Endpoint) -> SessionRequest {
    let connection = server.accept().await.unwrap().await.unwrap();
    connection.accept().await.unwrap()
}

async fn rejected_with(client: Connection) -> StatusCode {
    match client.open("/").await {
        Err(OpenError::Rejected(response)) => response.status(),
        other => panic!("not rejected: {other:?}"),
    }
}
