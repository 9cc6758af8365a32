//! A client, and a server that does whatever the input says: nothing panics, whatever the client
//! waits for ends, the connection ends in order, and nothing is left behind.
#![no_main]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Identity, Target, Trust};
use wt_connection_fuzz::{App, Peer, Program, World, limits, localhost, narrow_localhost};

struct Client {
    app: App,
    connector: Connector,
    /// Of which only quinn's part is used; the second has room for next to nothing.
    servers: [Endpoint; 2],
}

thread_local! {
    static WORLD: RefCell<World<Client>> = World::new(make);
}

fuzz_target!(|input: &[u8]| {
    WORLD.with_borrow_mut(|world| world.run(async |client| run(client, input).await, check));
});

async fn make() -> Client {
    let (identities, servers): (Vec<_>, Vec<_>) =
        [localhost(), narrow_localhost()].into_iter().unzip();
    let trust = Trust::hashes(identities.iter().map(Identity::certificate_hash));
    let builder = Endpoint::builder().address(SocketAddr::from(([127, 0, 0, 1], 0)));
    let endpoint = builder.trust(trust).bind().expect("loopback can be bound");
    Client {
        app: App::default(),
        connector: Connector::new(endpoint).limits(limits()),
        servers: servers.try_into().expect("there are two"),
    }
}

async fn run(client: &Client, input: &[u8]) {
    let program = Program::new(input);
    let server = &client.servers[usize::from(program.narrow())];
    let address = server.local_address().expect("it is bound");
    let connecting = client.connector.clone().oneshot(Target::from(address));
    let app = client.app.clone();
    let requests = program.variant();
    let mut work = tokio::spawn(async move {
        if let Ok(connection) = connecting.await {
            use_up(connection, app, requests).await;
        }
    });
    // A machine that stands still lets handshakes fail.
    let quic = tokio::select! {
        Some(incoming) = server.quic().accept() => incoming.await,
        _ = &mut work => return,
    };
    let Ok(quic) = quic else { return };
    let mut peer = Peer::new(quic);
    if program.control() {
        peer.control(true).await;
    }
    if program.session() {
        peer.answer().await;
    }
    peer.run(program).await;
    peer.settle().await;
    peer.close();
    work.await.expect("it does not panic");
    while client.app.live().get() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Opens sessions, or asks.
async fn use_up(connection: Connection, app: App, requests: bool) {
    if requests {
        let get = Request::get("/")
            .body(Full::<&[u8]>::default())
            .expect("it is one");
        let post = Request::post("/")
            .body(Full::from(&[7; 3000][..]))
            .expect("it is one");
        tokio::join!(ask(&connection, get), ask(&connection, post));
    } else {
        let first = async {
            if let Ok(session) = connection.open("/").await {
                app.clone().echo(session, "/open".to_owned()).await;
            }
        };
        let second = async {
            if let Ok(session) = connection.open("/second").await {
                app.clone().echo(session, "/".to_owned()).await;
            }
        };
        tokio::join!(first, second);
    }
    connection.closed().await;
}

async fn ask(connection: &Connection, request: Request<Full<&'static [u8]>>) {
    if let Ok(response) = connection.http().request(request).await {
        let _ = Limited::new(response.into_body(), 64 * 1024)
            .collect()
            .await;
    }
}

/// Nothing is shared with the next connection but the endpoint, which each input uses.
async fn check(_: &Client) {}
