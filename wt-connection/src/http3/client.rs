use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3::error::{Code, StreamError};
use http::{Method, StatusCode};
use http_body::Body as _;
use tokio::task::AbortHandle;

use crate::activity::InUse;
use crate::connection::{Core, Handle};
use crate::error::RequestError;
use crate::head;
use crate::http3::body::Body;
use crate::http3::exchange::Exchange;
use crate::http3::failure::Failure;
use crate::http3::streams::{Recv, Send};
use crate::http3::transport::{Arrived, Opener, Transport};
use crate::state::ConnectionState;
use crate::wait;

/// h3's client: it has no control stream to read, and so no task of its own.
#[derive(Clone)]
pub(crate) struct Client(SendRequest<Opener, Bytes>);

type BoxError = Box<dyn std::error::Error + std::marker::Send + Sync>;

/// The request's content on its way; its end says whether the body failed.
type Upload = Pin<Box<dyn Future<Output = Result<(), BoxError>> + std::marker::Send>>;

impl Client {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        let transport = Transport::new(Arc::clone(core), Arc::<Arrived>::default());
        let mut builder = h3::client::builder();
        builder
            .send_grease(false)
            .max_field_section_size(core.limits.header_block as u64);
        let built = wait::at_once(pin!(builder.build::<_, _, Bytes>(transport)));
        let (_, requests) = built.and_then(Result::ok).expect(SINKS);
        Self(requests)
    }

    /// Sends a request, and waits for its response; the content of both may go on behind.
    pub(crate) async fn send<B>(
        mut self,
        handle: Arc<Handle>,
        request: http::Request<B>,
    ) -> Result<http::Response<Body>, RequestError>
    where
        B: http_body::Body<Data: std::marker::Send, Error: Into<BoxError>>
            + std::marker::Send
            + 'static,
    {
        let core = Arc::clone(&handle.core);
        let in_use = core.activity.begin();
        let (head, body) = head::request(request, &core)?;
        let method = head.method().clone();
        let sent = tokio::select! {
            biased;
            () = core.draining() => {
                return Err(core.ending().map_or(RequestError::Draining, RequestError::from));
            }
            sent = async {
                // It may not be fit to be processed twice.
                core.handshaken().await?;
                Ok::<_, RequestError>(self.0.send_request(head).await)
            } => sent?,
        };
        let stream = sent.map_err(|error| give_up(&error, &core))?;
        let id = stream.id().into_inner();
        let exchange = core.exchanges.get(id).expect(UNDER_WAY);
        let (send, recv) = stream.split();
        let upload = upload(send, body, Arc::clone(&core));
        let upload = until_unwanted(upload, Arc::clone(&exchange));
        let answer = respond(
            recv,
            Arc::clone(&exchange),
            upload,
            &method,
            &handle,
            in_use,
        );
        let response = tokio::select! {
            biased;
            () = core.goaway.unprocessed(id) => Err(RequestError::Draining),
            response = answer => response,
        };
        let response = match response {
            // As the GOAWAY says, which came first.
            Err(RequestError::Unprocessed) if core.goaway.is_received() => {
                Err(RequestError::Draining)
            }
            response => response,
        };
        // One that was given up is counted there.
        if let Err(RequestError::Malformed) = response
            && exchange.aborted().is_none()
        {
            core.activity.count_error();
        }
        response
    }
}

/// Waits for the final response while the request's content is sent.
async fn respond(
    mut recv: RequestStream<Recv, Bytes>,
    exchange: Arc<Exchange>,
    upload: Upload,
    method: &Method,
    handle: &Arc<Handle>,
    in_use: InUse,
) -> Result<http::Response<Body>, RequestError> {
    let core = &handle.core;
    let mut upload = Some(upload);
    let mut interim = 0;
    let response = loop {
        let received = tokio::select! {
            biased;
            sent = finish(&mut upload) => {
                sent.map_err(RequestError::Body)?;
                continue;
            }
            received = recv.recv_response() => received,
        };
        let response = received.map_err(|error| give_up(&error, core))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // HTTP/3 has none (RFC 9114 §4.5).
            recv.stop_sending(Code::H3_MESSAGE_ERROR);
            return Err(RequestError::Malformed);
        }
        if !response.status().is_informational() {
            break response;
        }
        interim += 1;
        if interim > head::MAX_INTERIM {
            recv.stop_sending(Code::H3_EXCESSIVE_LOAD);
            return Err(RequestError::Malformed);
        }
    };
    let length = head::content_length(response.headers()).map_err(|_| {
        recv.stop_sending(Code::H3_MESSAGE_ERROR);
        RequestError::Malformed
    })?;
    let upload = upload.map(|upload| go_on(upload, core));
    let length = match has_no_content(method, response.status()) {
        // Its `content-length` speaks of what is left out.
        true => Some(0),
        false => length,
    };
    let body = Body::of_response(recv, length, exchange, Arc::clone(handle), upload, in_use);
    Ok(response.map(|()| body))
}

/// Sends the request's content; a server that wants no more of it is no failure.
fn upload<B>(mut stream: RequestStream<Send<Bytes>, Bytes>, body: B, core: Arc<Core>) -> Upload
where
    B: http_body::Body<Data: std::marker::Send, Error: Into<BoxError>>
        + std::marker::Send
        + 'static,
{
    Box::pin(async move {
        let mut body = pin!(body);
        while !body.is_end_stream() {
            let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else {
                break;
            };
            core.activity.record();
            let sent = match frame.map_err(Into::into)?.into_data() {
                // Some peers take a piece without bytes for the end.
                Ok(data) if !data.has_remaining() => Ok(()),
                Ok(mut data) => stream.send_data(data.copy_to_bytes(data.remaining())).await,
                Err(frame) => match frame.into_trailers() {
                    Ok(mut trailers) => {
                        head::strip(&mut trailers);
                        stream.send_trailers(trailers).await
                    }
                    Err(_) => Ok(()),
                },
            };
            if sent.is_err() {
                return Ok(());
            }
        }
        // Whether it arrived is what the response tells.
        let _ = stream.finish().await;
        Ok(())
    })
}

/// Sends no more than the server wants, though the body may have nothing to send just then.
fn until_unwanted(upload: Upload, exchange: Arc<Exchange>) -> Upload {
    Box::pin(async move {
        tokio::select! {
            biased;
            sent = upload => sent,
            () = exchange.unwanted() => Ok(()),
        }
    })
}

/// Waits until the content is sent, which is once; forever if it was before.
async fn finish(upload: &mut Option<Upload>) -> Result<(), BoxError> {
    let Some(sending) = upload else {
        return std::future::pending().await;
    };
    let sent = sending.await;
    *upload = None;
    sent
}

/// Leaves the rest of a request's content to a task, until the connection closes.
fn go_on(upload: Upload, core: &Arc<Core>) -> AbortHandle {
    let ending = Arc::clone(core);
    let task = core.tasks.spawn(async move {
        tokio::select! {
            biased;
            () = ending.state.reached(ConnectionState::Closing) => {}
            sent = upload => if let Err(error) = sent {
                tracing::debug!(error, "a request's body failed after its response began");
            },
        }
    });
    task.abort_handle()
}

fn give_up(error: &StreamError, core: &Core) -> RequestError {
    Failure::new(error, core).into()
}

/// Says whether a response has no content, whatever its `content-length` speaks of.
fn has_no_content(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD || head::has_no_content(status)
}

const SINKS: &str = "the streams that h3 opens lead nowhere, and are ready at once";
const UNDER_WAY: &str = "the stream holds its exchange";
