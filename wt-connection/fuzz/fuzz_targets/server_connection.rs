//! A server, and a client that does whatever the input says: nothing panics, the connection ends in
//! order, nothing is left behind, and the next client is served.
#![no_main]

use std::cell::RefCell;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use tower::{ServiceExt, service_fn};
use wt_connection::{Connections, Connector, Endpoint, Server, Target, Trust};
use wt_connection_fuzz::{App, Peer, Program, RawClient, World, localhost, serve};

struct Servers {
    app: App,
    /// Serves by `Server`.
    served: SocketAddr,
    connections: Connections,
    /// Serves by `Endpoint::accept`.
    by_hand: SocketAddr,
    raw: [RawClient; 2],
    good: [Connector; 2],
}

thread_local! {
    static WORLD: RefCell<World<Servers>> = World::new(make);
}

fuzz_target!(|input: &[u8]| {
    WORLD.with_borrow_mut(|world| world.run(async |servers| run(servers, input).await, check));
});

async fn make() -> Servers {
    let app = App::default();
    let connections = Connections::new();
    let (served_identity, served) = localhost();
    let (by_hand_identity, by_hand) = localhost();
    let addresses =
        [&served, &by_hand].map(|endpoint| endpoint.local_address().expect("it is bound"));
    let service = {
        let app = app.clone();
        service_fn(move |request| serve(app.clone(), request))
    };
    tokio::spawn(
        Server::new(served)
            .connections(connections.clone())
            .serve(service),
    );
    tokio::spawn(accept(by_hand, app.clone()));
    let identities = [served_identity, by_hand_identity];
    let good = identities.each_ref().map(|identity| {
        let trust = Trust::hashes([identity.certificate_hash()]);
        let builder = Endpoint::builder().address(SocketAddr::from(([127, 0, 0, 1], 0)));
        Connector::new(builder.trust(trust).bind().expect("loopback can be bound"))
    });
    Servers {
        app,
        served: addresses[0],
        connections,
        by_hand: addresses[1],
        raw: identities.each_ref().map(RawClient::new),
        good,
    }
}

async fn accept(endpoint: Endpoint, app: App) {
    while let Some(incoming) = endpoint.accept().await {
        let app = app.clone();
        tokio::spawn(async move {
            if let Ok(connection) = incoming.await {
                app.accept(connection).await;
            }
        });
    }
}

async fn run(servers: &Servers, input: &[u8]) {
    let program = Program::new(input);
    let (raw, address) = match program.variant() {
        false => (&servers.raw[0], servers.served),
        true => (&servers.raw[1], servers.by_hand),
    };
    let connecting = raw.connect(address, program.narrow());
    // A machine that stands still lets handshakes fail; that the server is there, is checked.
    let Ok(quic) = connecting.await else { return };
    let mut peer = Peer::new(quic);
    if program.control() {
        peer.control(false).await;
    }
    if program.session() {
        peer.connect().await;
    }
    peer.run(program).await;
    peer.settle().await;
    peer.close();
    while servers.app.live().get() > 0 || !servers.connections.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A client that behaves is served; a second one, if the machine stood still under the first.
async fn check(servers: &Servers) {
    for (connector, address) in servers.good.iter().zip([servers.served, servers.by_hand]) {
        let http = address == servers.served;
        if greet(connector, address, http).await.is_err() {
            let greeted = greet(connector, address, http).await;
            greeted.expect("a client that behaves is served");
        }
    }
}

async fn greet(connector: &Connector, address: SocketAddr, http: bool) -> Result<(), BoxError> {
    let connection = connector.clone().oneshot(Target::from(address)).await?;
    let session = connection.open("/").await?;
    let mut stream = session.open_bi().await?;
    stream.send.write_all(b"hello").await?;
    stream.send.finish()?;
    assert_eq!(stream.recv.read_to_end(9).await?, b"hello");
    session.send_datagram("hello")?;
    assert_eq!(session.read_datagram().await?, "hello");
    if http {
        let request = Request::post("/").body(Full::<&[u8]>::from(&b"hello"[..]))?;
        let response = connection.http().request(request).await?;
        let content = response.into_body().collect().await?;
        assert_eq!(content.to_bytes(), "hello");
    }
    drop((stream, session));
    connection.close(0, "").await;
    Ok(())
}

type BoxError = Box<dyn Error + Send + Sync>;
