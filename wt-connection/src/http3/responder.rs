use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body::Body;

use crate::activity::InUse;
use crate::connection::Core;
use crate::http3::exchange::Exchange;
use crate::http3::streams::Send;
use crate::{date, head};

/// Sends the response to one request.
///
/// Dropped before its end, it resets the stream with `H3_INTERNAL_ERROR`.
pub(crate) struct Responder {
    stream: h3::server::RequestStream<Send<Bytes>, Bytes>,
    exchange: Arc<Exchange>,
    /// The request is a HEAD, whose response has no content.
    head: bool,
    _in_use: InUse,
}

impl Responder {
    pub(super) fn new(
        stream: h3::server::RequestStream<Send<Bytes>, Bytes>,
        exchange: Arc<Exchange>,
        head: bool,
        in_use: InUse,
    ) -> Self {
        Self {
            stream,
            exchange,
            head,
            _in_use: in_use,
        }
    }

    /// Answers with what `response` comes to, unless the client wants it no more.
    ///
    /// The future is what a request's task consists of: it holds `self` once, and the parts of the
    /// response one after another.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn would hold its parameters twice"
    )]
    pub(crate) fn respond<F, B, E>(mut self, response: F) -> impl Future<Output = ()>
    where
        F: Future<Output = Result<http::Response<B>, E>>,
        B: Body<Error: Into<BoxError>>,
        E: Into<BoxError>,
    {
        async move {
            let mut response = pin!(response);
            let Self {
                stream,
                exchange,
                head,
                ..
            } = &mut self;
            tokio::select! {
                biased;
                answered = async {
                    let response = response.as_mut().await.map_err(Into::into)?;
                    send(stream, response, *head, exchange.core()).await
                } => if let Err(error) = answered {
                    tracing::debug!(error, "a request was not answered");
                },
                () = exchange.unwanted() => {}
            }
        }
    }
}

type BoxError = Box<dyn Error + std::marker::Send + Sync>;

async fn send<B>(
    stream: &mut h3::server::RequestStream<Send<Bytes>, Bytes>,
    response: http::Response<B>,
    head: bool,
    core: &Core,
) -> Result<(), BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let (mut parts, body) = response.into_parts();
    let mut body = pin!(body);
    if parts.status.is_informational() {
        // HTTP/3 would wait for the final one behind it.
        return Err(format!("{} is no final response", parts.status).into());
    }
    head::strip(&mut parts.headers);
    date::set(&mut parts.headers);
    let none = head || head::has_no_content(parts.status);
    // The body of a HEAD's response may have been left out before.
    let left_out = head && body.is_end_stream();
    if !left_out && !head::has_no_content(parts.status) {
        head::set_content_length(&mut parts.headers, body.size_hint().exact());
    }
    if head::response_size(&parts) > core.peer.max_field_section() {
        return Err("the headers are larger than the client takes".into());
    }
    stream
        .send_response(http::Response::from_parts(parts, ()))
        .await?;
    while !none && !body.is_end_stream() {
        let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else {
            break;
        };
        match frame.map_err(Into::into)?.into_data() {
            // Some peers take a piece without bytes for the end.
            Ok(data) if !data.has_remaining() => {}
            Ok(mut data) => {
                let data = data.copy_to_bytes(data.remaining());
                stream.send_data(data).await?;
            }
            Err(frame) => {
                if let Ok(mut trailers) = frame.into_trailers() {
                    head::strip(&mut trailers);
                    stream.send_trailers(trailers).await?;
                    break;
                }
            }
        }
    }
    stream.finish().await?;
    Ok(())
}
