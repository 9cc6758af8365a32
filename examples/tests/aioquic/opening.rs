//! Sessions and other requests on one connection, and what a rejected one learns.

use serde_json::json;

use crate::ours::{REJECTIONS, Server, in_time, rejected_with};
use crate::peer::Peer;
use crate::sessions::{Opened, accept, from_our_client};

#[tokio::test]
async fn their_client_has_several_sessions_beside_other_requests_on_one_connection() {
    in_time(async {
        let server = Server::bind();
        let requests = [
            "GET /hello",
            "CONNECT /echo/a",
            "CONNECT /echo/b",
            "GET /hello",
            "CONNECT /echo/c",
            "GET /hello",
        ];

        let mut peer = Peer::client(&server, &requests.map(str::to_owned));
        let connection = server.endpoint.accept().await.unwrap().await.unwrap();
        let paths = ["/echo/a", "/echo/b", "/echo/c"];
        let opened = accept(&connection, paths).await;

        let (status, body) = NO_SESSION;
        let accepted = paths.map(|path| json!({ "path": path, "status": 200 }));
        let others = [(); 3].map(|()| json!({ "path": "/hello", "status": status, "body": body }));
        peer.says(accepted.into_iter().chain(others)).await;
        live_to_their_end(&opened).await;
        peer.says(paths.map(|path| json!({ "path": path, "code": 0, "reason": "" })))
            .await;
        peer.ends().await;
    })
    .await;
}

#[tokio::test]
async fn our_client_has_several_sessions_on_one_connection_to_their_server() {
    in_time(async {
        let paths = ["/echo/a", "/echo/b", "/echo/c"];

        let (mut peer, opened) = from_our_client(paths).await;

        live_to_their_end(&opened).await;
        peer.says(paths.map(|path| json!({ "path": path, "code": 0, "reason": "" })))
            .await;
    })
    .await;
}

#[tokio::test]
async fn their_client_reads_the_status_that_our_server_rejects_with() {
    in_time(async {
        let server = Server::bind();
        let requests = REJECTIONS.map(|status| format!("CONNECT /reject/{}", status.as_u16()));

        let mut peer = Peer::client(&server, &requests);
        let connection = server.endpoint.accept().await.unwrap().await.unwrap();
        for _ in REJECTIONS {
            let request = connection.accept().await.unwrap();
            let status = request.uri().path().rsplit('/').next().unwrap();
            let status = status.parse().unwrap();
            request.reject(status).await.unwrap();
        }

        peer.says(REJECTIONS.map(|status| {
            let status = status.as_u16();
            json!({ "path": format!("/reject/{status}"), "status": status, "body": "" })
        }))
        .await;
        peer.ends().await;
    })
    .await;
}

#[tokio::test]
async fn our_client_reads_the_status_that_their_server_rejects_with() {
    in_time(async {
        let (_peer, connection) = Peer::server().await;

        for status in REJECTIONS {
            let path = format!("/reject/{}", status.as_u16());
            assert_eq!(rejected_with(connection.open(path).await), status);
        }

        connection.open("/echo").await.unwrap();
    })
    .await;
}

async fn live_to_their_end(opened: &[Opened; 3]) {
    let [a, b, c] = opened;
    assert_eq!(a.session.connection().id(), b.session.connection().id());
    assert_eq!(a.session.connection().id(), c.session.connection().id());
    tokio::join!(a.lives(), b.lives(), c.lives());
    tokio::join!(a.close(), b.close(), c.close());
}

/// What our server answers a request that asks for no session: the status, and the body.
const NO_SESSION: (u16, &str) = (404, "");
