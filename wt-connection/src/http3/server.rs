use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use h3::error::{Code, StreamError};
use h3::server::RequestResolver;
use http::Method;

use crate::activity::InUse;
use crate::connection::{Core, Handle};
use crate::head;
use crate::http3::body::Body;
use crate::http3::exchange::Exchange;
use crate::http3::failure::UNDECODABLE;
use crate::http3::responder::Responder;
use crate::http3::streams::Bi;
use crate::http3::transport::{Arrived, Transport};
use crate::wait;

/// h3's server, which turns streams into requests; it begins with the first one.
pub(crate) struct Server {
    core: Arc<Core>,
    arrived: Arc<Arrived>,
    /// Boxed: most connections carry none.
    h3: Option<Box<h3::server::Connection<Transport, Bytes>>>,
}

/// A request whose headers are known.
pub(crate) struct Arrival {
    request: http::Request<()>,
    exchange: Arc<Exchange>,
    in_use: InUse,
    /// How long its content is to be.
    length: Option<u64>,
    stream: h3::server::RequestStream<Bi<Bytes>, Bytes>,
}

impl Server {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            arrived: Arc::default(),
            h3: None,
        }
    }

    /// Takes in a request, all of whose headers are in `rest`; `None` if it is malformed, and has
    /// been refused.
    pub(crate) fn accept(
        &mut self,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
    ) -> Option<Box<Arrival>> {
        let stream = Bi::new(send, recv, rest, &self.core);
        let exchange = stream.exchange();
        self.arrived.put(stream);
        let resolver = self.next().or_else(|| {
            // An earlier request has made h3 give up: it begins anew.
            self.h3 = None;
            self.next()
        })?;
        let resolved = wait::at_once(pin!(resolver.resolve_request()))?;
        if let Err(StreamError::ConnectionError { .. }) = &resolved {
            // All else that it could take for one has been looked at.
            self.core.fail(UNDECODABLE);
        }
        let (mut request, mut stream) = resolved.ok()?;
        let length = head::content_length(request.headers())
            .ok()
            .filter(|_| !head::is_of_a_connection(request.headers()));
        let Some(length) = length else {
            stream.stop_stream(Code::H3_MESSAGE_ERROR);
            stream.stop_sending(Code::H3_MESSAGE_ERROR);
            return None;
        };
        head::join_cookies(request.headers_mut());
        Some(Box::new(Arrival {
            request,
            exchange,
            in_use: self.core.activity.begin(),
            length,
            stream,
        }))
    }

    /// What h3 makes of the request that was put there; `None` if it has given up.
    fn next(&mut self) -> Option<RequestResolver<Transport, Bytes>> {
        let h3 = match &mut self.h3 {
            Some(h3) => h3,
            None => self.h3.insert(Box::new(self.build()?)),
        };
        wait::at_once(pin!(h3.accept()))?.ok()?
    }

    fn build(&self) -> Option<h3::server::Connection<Transport, Bytes>> {
        let transport = Transport::new(Arc::clone(&self.core), Arc::clone(&self.arrived));
        let mut builder = h3::server::builder();
        builder
            .send_grease(false)
            .max_field_section_size(self.core.limits.header_block as u64);
        // The streams that it opens lead nowhere, and are ready at once.
        wait::at_once(pin!(builder.build(transport)))?.ok()
    }
}

impl Arrival {
    /// The request as a service takes it, and what its response goes to.
    pub(crate) fn into_parts(
        self: Box<Self>,
        handle: Arc<Handle>,
    ) -> (http::Request<Body>, Responder) {
        let Self {
            request,
            length,
            exchange,
            in_use,
            stream,
        } = *self;
        let (send, recv) = stream.split();
        let head = request.method() == Method::HEAD;
        let responder = Responder::new(send, Arc::clone(&exchange), head, in_use);
        let body = Body::of_request(recv, length, exchange, handle);
        (request.map(|()| body), responder)
    }

    /// What the request is to be given up with, if it is.
    pub(crate) fn aborted(&self) -> Option<u64> {
        self.exchange.aborted()
    }

    /// Resets the stream, of whose request nobody has seen anything.
    pub(crate) fn refuse(mut self: Box<Self>, code: u64) {
        self.stream.stop_stream(code.into());
        self.stream.stop_sending(code.into());
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
