use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use examples::echo;
use examples::proxy::CONNECTIONS;
use tokio::task::JoinSet;
use tower::Service;
use wt_connection::{Connection, Limits, OpenError, Protocols, Session};

use crate::world::{World, soon};

#[tokio::test]
async fn the_request_is_passed_on() {
    let world = World::new(1).await;
    let request = Request::get("https://chat.example/room?of=one")
        .header("origin", "https://chat.example")
        .header("x-token", "secret")
        .header("forwarded", "for=192.0.2.1")
        .body(())
        .unwrap();
    let mut client = world.client.clone();
    let opening = tokio::spawn(async move { client.ready().await?.call(request).await });

    let asked = world.servers[0].request().await;

    let port = world.client.quic().local_ip();
    assert_eq!(asked.uri().path_and_query().unwrap(), "/room?of=one");
    assert_eq!(asked.uri().authority().unwrap(), "chat.example");
    let headers = asked.request().headers();
    assert_eq!(headers["origin"], "https://chat.example");
    assert_eq!(headers["x-token"], "secret");
    let forwarded: Vec<_> = headers.get_all("forwarded").iter().collect();
    assert_eq!(forwarded[0], "for=192.0.2.1");
    let own = forwarded[1].to_str().unwrap();
    assert!(own.starts_with("for=\"127.0.0.1:"), "{own} {port:?}");
    assert!(own.ends_with("\";proto=https"), "{own}");
    let _server = asked.accept().await.unwrap();
    soon(opening).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_answer_is_passed_on() {
    let world = World::new(1).await;
    let mut client = world.client.clone();
    let request = Request::get("/").body(()).unwrap();
    let opening = tokio::spawn(async move { client.ready().await?.call(request).await });

    let asked = world.servers[0].request().await;
    let room = HeaderMap::from_iter([(HeaderName::from_static("x-room"), HeaderValue::from(7))]);
    let _server = asked.accept_with(room).await.unwrap();

    let response = soon(opening).await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-room"], "7");
}

#[tokio::test]
async fn the_subprotocol_is_passed_on() {
    let world = World::new(1).await;
    let request = Request::get("/")
        .extension(Protocols::new(["chat.v3", "chat.v2", "chat.v1"]))
        .body(())
        .unwrap();
    let mut client = world.client.clone();
    let opening = tokio::spawn(async move { client.ready().await?.call(request).await });

    let asked = world.servers[0].request().await;
    assert_eq!(asked.protocols(), ["chat.v3", "chat.v2", "chat.v1"]);
    let server = asked.select_protocol(["chat.v2"]).accept().await.unwrap();

    let client = soon(opening).await.unwrap().unwrap().into_body();
    assert_eq!(client.protocol(), Some("chat.v2"));
    assert_eq!(server.protocol(), Some("chat.v2"));
}

/// A name twice is no offer of ours to make, and no reason to fail.
#[tokio::test]
async fn an_odd_offer_of_subprotocols_is_passed_on() {
    let world = World::new(1).await;
    let request = Request::get("/")
        .header("wt-available-protocols", r#""a", "a", "", "b""#)
        .body(())
        .unwrap();
    let mut client = world.client.clone();
    let opening = tokio::spawn(async move { client.ready().await?.call(request).await });

    let asked = world.servers[0].request().await;
    assert_eq!(asked.protocols(), ["a", "b"]);
    let _server = asked.select_protocol(["b"]).accept().await.unwrap();

    let client = soon(opening).await.unwrap().unwrap().into_body();
    assert_eq!(client.protocol(), Some("b"));
}

#[tokio::test]
async fn the_servers_refusal_is_passed_on() {
    let world = World::new(1).await;
    let mut client = world.client.clone();
    let request = Request::get("/nowhere").body(()).unwrap();
    let opening = tokio::spawn(async move { client.ready().await?.call(request).await });

    let asked = world.servers[0].request().await;
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
        .headers_mut()
        .insert("x-why", HeaderValue::from_static("no such room"));
    asked.reject_with(answer).await.unwrap();

    let error = soon(opening).await.unwrap().unwrap_err();
    let OpenError::Rejected(response) = error else {
        panic!("{error}");
    };
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["x-why"], "no such room");
}

/// Two hundred at once on one connection of the client's; each gets its own stream's echo.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once_are_spread_over_all_servers() {
    const SESSIONS: usize = 200;
    let world = World::new(3).await;
    let mut serving = JoinSet::new();
    let servers = std::sync::Arc::new(world.servers);
    for index in 0..servers.len() {
        let servers = std::sync::Arc::clone(&servers);
        serving.spawn(async move {
            loop {
                let session = servers[index].request().await.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut stream = session.accept_bi().await.unwrap();
                    let mut all = stream.recv.read_to_end(100).await.unwrap();
                    all.push(b'0' + u8::try_from(index).unwrap());
                    stream.send.write_all(&all).await.unwrap();
                    stream.send.finish().unwrap();
                    session.closed().await;
                });
            }
        });
    }

    // While a server is being connected to, the others have it all.
    let mut known = [false; 3];
    while known.contains(&false) {
        known[soon(ask(world.client.clone(), 0)).await.0] = true;
    }

    let mut opening = JoinSet::new();
    for index in 0..SESSIONS {
        opening.spawn(ask(world.client.clone(), index));
    }
    let mut served = [0; 3];
    let mut sessions = Vec::new();
    while let Some(done) = soon(opening.join_next()).await {
        let (server, session) = done.unwrap();
        served[server] += 1;
        sessions.push(session);
    }

    // All are open at once, and no server is left out.
    assert_eq!(world.client.sessions().len(), SESSIONS);
    assert!(!served.contains(&0), "{served:?}");
    // No more than four connections to each.
    assert!(world.outward.open_connections() <= 12);
    serving.abort_all();
}

/// The bound is the servers', whatever the edge lets in.
#[tokio::test]
async fn there_are_as_many_sessions_as_the_servers_have_room_for() {
    let world = World::with(1, Limits::default().max_sessions(2)).await;
    let mut sessions = Vec::new();
    for _ in 0..CONNECTIONS * 2 {
        sessions.push(soon(world.session()).await);
    }

    let error = tokio::select! {
        opened = world.client.open("/") => opened.unwrap_err(),
        _ = world.servers[0].request() => panic!("a server has been asked for one more"),
    };

    let OpenError::Rejected(response) = error else {
        panic!("{error}");
    };
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    // And there is room again.
    let (client, server) = sessions.remove(0);
    client.close(0, "");
    soon(server.closed()).await;
    soon(world.session()).await;
}

/// Says which server has answered, on the session that is returned.
async fn ask(client: Connection, index: usize) -> (usize, Session) {
    let session = client.open("/").await.unwrap();
    let (mut send, mut recv) = session.open_bi().await.unwrap().split();
    send.write_all(format!("{index}:").as_bytes())
        .await
        .unwrap();
    send.finish().unwrap();
    let answer = String::from_utf8(recv.read_to_end(100).await.unwrap()).unwrap();
    let (echoed, server) = answer.split_once(':').unwrap();
    assert_eq!(echoed, index.to_string());
    (server.parse().unwrap(), session)
}

/// The example's own servers: nothing in the proxy knows what is spoken.
#[tokio::test]
async fn an_echo_works_through_it() {
    let world = World::new(1).await;
    let (client, server) = world.session().await;
    let echoing = tokio::spawn(async move {
        while let Ok(datagram) = server.read_datagram().await {
            let _ = server.send_datagram(datagram);
        }
    });

    soon(echo::datagram(&client, b"hello")).await.unwrap();

    client.close(0, "");
    soon(echoing).await.unwrap();
}
