//! Four sessions on one connection: streams of both kinds and datagrams, sent back and checked.
//!
//! The server and what is sent are in `examples/src/echo`.

use std::env;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use examples::{BoxError, causes, echo};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use wt_connection::{
    Connection, Connector, Endpoint, Identity, Session, SessionError, Target, Trust,
};

const HELP: &str = "\
Echo over WebTransport.

  echo                  runs a server and a client in this process
  echo --serve [ADDR]   serves until ctrl-c; on [::]:4433 by default
  echo URL [HASH]       is a client of any echo server, trusted by the hash of its certificate
                        or, without one, by the system's root certificates
";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => both().await,
        ["-h" | "--help"] => {
            print!("{HELP}");
            Ok(())
        }
        ["--serve"] => serve("[::]:4433").await,
        ["--serve", address] => serve(address).await,
        [url] if !url.starts_with('-') => client(url, None).await,
        [url, hash] if !url.starts_with('-') => client(url, Some(hash)).await,
        _ => Err(format!("these arguments make no sense\n\n{HELP}").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Runs a server and a client of it.
async fn both() -> Result<(), BoxError> {
    let identity = Identity::self_signed(["localhost"])?;
    let trust = Trust::hashes([identity.certificate_hash()]);
    let server = Endpoint::server("127.0.0.1:0".parse()?, identity)?;
    let serving = tokio::spawn(echo::serve(server.clone()));
    let endpoint = Endpoint::client(trust)?;

    let connection = connect(&endpoint, Target::from(server.local_address()?)).await?;
    let sessions = open(&connection, "/echo").await?;
    for session in &sessions {
        round_trips(session, None).await?;
    }
    throughput(&sessions[0], 32 << 20).await?;
    close(&sessions).await?;

    // The other side can end it, too: the whole server, and with it every session.
    let session = connection.open("/echo").await?;
    server.close(7, "closing time").await;
    match session.closed().await {
        SessionError::ClosedByPeer(close) if close.code() == 7 => {
            println!("session {} closed by the server with {close}", session.id());
        }
        other => return Err(other.into()),
    }
    serving.await?;
    endpoint.close(0, "").await;
    Ok(())
}

/// Serves until ctrl-c.
async fn serve(address: &str) -> Result<(), BoxError> {
    let identity = Identity::self_signed(["localhost", "127.0.0.1", "::1"])?;
    let hash = identity.certificate_hash();
    let server = Endpoint::server(address.parse()?, identity)?;
    let url = url(server.local_address()?);
    println!("serving {url} until ctrl-c; the certificate is good for 14 days");
    println!("  a client:  cargo run --release --example echo {url} {hash}");
    println!("  a browser: new WebTransport(\"{url}\", {{ serverCertificateHashes: [");
    println!(
        "    {{ algorithm: \"sha-256\", value: new Uint8Array({:?}) }}] }})",
        hash.as_bytes()
    );

    let serving = tokio::spawn(echo::serve(server.clone()));
    tokio::signal::ctrl_c().await?;
    println!("closing {} connections", server.open_connections());
    server.close(0, "the server shuts down").await;
    serving.await?;
    Ok(())
}

/// Does the same as a client of `both`, but is content with a server that answers less.
async fn client(url: &str, hash: Option<&str>) -> Result<(), BoxError> {
    let trust = match hash {
        Some(hash) => Trust::hashes([hash.parse()?]),
        None => Trust::system()?,
    };
    let endpoint = Endpoint::client(trust)?;
    let connection = connect(&endpoint, url.parse()?).await?;
    let sessions = open(&connection, url).await?;
    for session in &sessions {
        round_trips(session, Some(Duration::from_secs(2))).await?;
    }
    throughput(&sessions[0], 1 << 20).await?;
    close(&sessions).await?;
    endpoint.close(0, "").await;
    Ok(())
}

async fn connect(endpoint: &Endpoint, target: Target) -> Result<Connection, BoxError> {
    let start = Instant::now();
    let connector = Connector::new(endpoint.clone()).connect_timeout(Duration::from_secs(5));
    let connection = connector.oneshot(target.clone()).await?;
    println!("connected to {target} in {:.1?}", start.elapsed());
    Ok(connection)
}

/// Opens several sessions, as many as the server allows.
async fn open(connection: &Connection, url: &str) -> Result<Vec<Session>, BoxError> {
    let mut sessions = Vec::new();
    for _ in 0..connection.max_sessions().min(4) {
        let start = Instant::now();
        let session = within(connection.open(url)).await??;
        println!("session {} opened in {:.1?}", session.id(), start.elapsed());
        sessions.push(session);
    }
    Ok(sessions)
}

/// Sends a little of each kind; with `patience`, unidirectional streams may stay unanswered.
async fn round_trips(session: &Session, patience: Option<Duration>) -> Result<(), BoxError> {
    let payload = format!("hello from session {}", session.id());
    let payload = payload.as_bytes();
    let bi = within(echo::bi(session, payload)).await??;
    let datagram = within(echo::datagram(session, payload)).await??;
    let uni = match (patience, echo::uni(session, payload)) {
        (None, uni) => format!("{:.1?}", within(uni).await??),
        (Some(patience), uni) => match timeout(patience, uni).await {
            Ok(uni) => format!("{:.1?}", uni?),
            Err(_) => "no answer".to_owned(),
        },
    };
    let id = session.id();
    println!(
        "session {id} echoed: stream {bi:.1?}, datagram {datagram:.1?}, one-way streams {uni}"
    );
    Ok(())
}

async fn throughput(session: &Session, len: u32) -> Result<(), BoxError> {
    let payload: Vec<u8> = (0..len).map(|i| i.to_le_bytes()[i as usize % 4]).collect();
    let took = within(echo::bi(session, &payload)).await??;
    let mebibytes = f64::from(len >> 20);
    let rate = mebibytes / took.as_secs_f64();
    println!("{mebibytes} MiB echoed in {took:.1?}: {rate:.0} MiB/s each way");
    Ok(())
}

/// Closes each session by itself; the connection stays.
async fn close(sessions: &[Session]) -> Result<(), BoxError> {
    for (code, session) in (1..).zip(sessions) {
        session.close(code, "all came back");
        let end = within(session.closed()).await?;
        if end.close().is_none() {
            return Err(end.into());
        }
        println!("session {}: {end}", session.id());
    }
    Ok(())
}

/// Gives up on a server that stays silent.
async fn within<T>(step: impl Future<Output = T>) -> Result<T, &'static str> {
    let done = timeout(Duration::from_secs(10), step).await;
    done.map_err(|_| "no answer for ten seconds")
}

fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("https://localhost:{}/echo", address.port())
    } else {
        format!("https://{address}/echo")
    }
}
