//! Clients of every kind at one server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;
use wt_connection::{Incoming, SessionRequest};

use crate::end::End;
use crate::ours::{Server, connector, in_time};
use crate::{web_transport_quinn, webtrans_quinn, wtransport};

#[tokio::test]
async fn one_server_of_ours_serves_every_kind_of_client_at_once() {
    in_time(async {
        let server = Server::bind();
        let serving = tokio::spawn({
            let endpoint = server.endpoint.clone();
            async move {
                while let Some(incoming) = endpoint.accept().await {
                    tokio::spawn(serve(incoming));
                }
            }
        });
        let wtransports = [wtransport::client(&server), wtransport::client(&server)];
        let quinns = web_transport_quinn::client(&server);
        let newest = webtrans_quinn::client(&server);
        let url = server.url("/");
        let request = || web_transport_quinn::request(&url);

        let connection = connector(server.hash).oneshot(server.target()).await;
        let connection = connection.unwrap();
        let (a, b, c, d, e, f, g) = tokio::try_join!(
            async { Ok(wtransports[0].connect(&url).await.unwrap()) },
            async { Ok(wtransports[1].connect(&url).await.unwrap()) },
            async { Ok(quinns.connect(request()).await.unwrap()) },
            async { Ok(quinns.connect(request()).await.unwrap()) },
            async { Ok(newest.connect(url.parse().unwrap()).await.unwrap()) },
            connection.open("/one"),
            connection.open("/another"),
        )
        .unwrap();

        tokio::join!(
            is_echoed(&a, b"first of wtransport"),
            is_echoed(&b, b"second of wtransport"),
            is_echoed(&c, b"first of web-transport-quinn"),
            is_echoed(&d, b"second of web-transport-quinn"),
            is_echoed(&e, b"one of webtrans-quinn"),
            is_echoed(&f, b"first of ours"),
            is_echoed(&g, b"second of ours, on the same connection"),
        );
        assert_eq!(server.endpoint.open_connections(), 6);
        serving.abort();
    })
    .await;
}

async fn serve(incoming: Incoming) {
    let connection = incoming.await.unwrap();
    while let Ok(request) = connection.accept().await {
        tokio::spawn(echo(request));
    }
}

async fn echo(request: SessionRequest) {
    let session = request.accept().await.unwrap();
    while let Ok(mut stream) = session.accept_bi().await {
        let content = stream.recv.read_to_end(1024).await.unwrap();
        stream.send.write_all(&content).await.unwrap();
        stream.send.finish().unwrap();
    }
}

async fn is_echoed(client: &impl End, content: &[u8]) {
    let (mut send, mut recv) = client.open_bi().await;
    send.write_all(content).await.unwrap();
    send.shutdown().await.unwrap();
    let mut echo = Vec::new();
    recv.read_to_end(&mut echo).await.unwrap();
    assert_eq!(echo, content);
}
