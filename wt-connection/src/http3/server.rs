use std::time::Duration;

use bytes::Bytes;
use h3::server::RequestResolver;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http3::transport::{Request, Transport};
use crate::proto::code;
use crate::wire;

/// Answers the requests that ask for no session; costs nothing until the first one comes.
pub(crate) struct Http {
    quinn: quinn::Connection,
    requests: Option<mpsc::Sender<Request>>,
    tasks: JoinSet<()>,
}

impl Http {
    pub(crate) fn new(quinn: quinn::Connection) -> Self {
        Self {
            quinn,
            requests: None,
            tasks: JoinSet::new(),
        }
    }

    /// Takes in a request, or refuses it if too many wait.
    pub(crate) fn request(
        &mut self,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
    ) {
        let requests = self.requests();
        if let Err(refused) = requests.try_send(Request { send, recv, rest }) {
            let mut request = refused.into_inner();
            let code = code::H3_REQUEST_REJECTED;
            wire::refuse(&mut request.send, &mut request.recv, code);
        }
    }

    /// Where requests go; h3 begins anew if a peer's fault has ended it.
    fn requests(&mut self) -> mpsc::Sender<Request> {
        if let Some(requests) = self.requests.as_ref().filter(|sender| !sender.is_closed()) {
            return requests.clone();
        }
        while self.tasks.try_join_next().is_some() {}
        let (requests, waiting) = mpsc::channel(WAITING);
        let transport = Transport::new(self.quinn.clone(), waiting);
        self.tasks.spawn(serve(transport));
        self.requests = Some(requests.clone());
        requests
    }
}

/// Runs h3 until the connection is over, or a request makes h3 give up; dropped with the driver.
async fn serve(transport: Transport) {
    let built = h3::server::builder()
        .send_grease(false)
        .build::<_, Bytes>(transport)
        .await;
    let mut connection = match built {
        Ok(connection) => connection,
        Err(error) => return tracing::debug!(%error, "cannot serve HTTP/3 requests"),
    };
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Ok(Some(request)) => {
                    answers.spawn(timeout(ANSWER_TIMEOUT, not_found(request)));
                }
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "HTTP/3 requests are over"),
            },
            Some(_) = answers.join_next() => {}
        }
    }
}

async fn not_found(request: RequestResolver<Transport, Bytes>) {
    let Ok((_, mut stream)) = request.resolve_request().await else {
        return;
    };
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    // The peer may be gone, or want no answer any more.
    if stream.send_response(response).await.is_ok() {
        stream.stop_sending(h3::error::Code::H3_NO_ERROR);
        let _ = stream.finish().await;
    }
}

/// How many requests wait until h3 looks at them.
const WAITING: usize = 64;
/// How long a peer may take to receive the few bytes of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
