use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body::Body;

use crate::activity::InUse;
use crate::connection::Core;
use crate::http3::stopped::Stopped;
use crate::http3::streams::Send;
use crate::{date, head};

/// Sends the response to one request.
///
/// Dropped before its end, it resets the stream with `H3_INTERNAL_ERROR`.
pub(crate) struct Responder {
    stream: h3::server::RequestStream<Send<Bytes>, Bytes>,
    stopped: Stopped,
    /// The request is a HEAD, whose response has no content.
    head: bool,
    core: Arc<Core>,
    in_use: InUse,
}

impl Responder {
    pub(super) fn new(
        stream: h3::server::RequestStream<Send<Bytes>, Bytes>,
        stopped: Stopped,
        head: bool,
        core: Arc<Core>,
    ) -> Self {
        Self {
            stream,
            stopped,
            head,
            in_use: core.activity.begin(),
            core,
        }
    }

    /// Answers with what `response` comes to, unless the client wants it no more.
    pub(crate) async fn respond<F, B, E>(self, response: F)
    where
        F: Future<Output = Result<http::Response<B>, E>>,
        B: Body<Error: Into<Box<dyn Error + std::marker::Send + Sync>>>,
        E: Into<Box<dyn Error + std::marker::Send + Sync>>,
    {
        let Self {
            mut stream,
            mut stopped,
            head,
            core,
            in_use: _in_use,
        } = self;
        let answer = async {
            let response = response.await.map_err(Into::into)?;
            send(&mut stream, response, head, &core).await
        };
        tokio::select! {
            biased;
            answered = answer => if let Err(error) = answered {
                tracing::debug!(error, "a request was not answered");
            },
            () = &mut stopped => {}
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
    if !head::has_no_content(parts.status) {
        head::set_content_length(&mut parts.headers, body.size_hint().exact());
    }
    if head::response_size(&parts) > core.max_field_section() {
        return Err("the headers are larger than the client takes".into());
    }
    stream
        .send_response(http::Response::from_parts(parts, ()))
        .await?;
    while !none && !body.is_end_stream() {
        let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else {
            break;
        };
        core.activity.record();
        match frame.map_err(Into::into)?.into_data() {
            // Some peers take a piece without bytes for the end.
            Ok(data) if !data.has_remaining() => {}
            Ok(mut data) => {
                let data = data.copy_to_bytes(data.remaining());
                stream.send_data(data).await?;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    stream.send_trailers(trailers).await?;
                    break;
                }
            }
        }
    }
    stream.finish().await?;
    Ok(())
}
