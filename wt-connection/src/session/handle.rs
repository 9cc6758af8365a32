use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::connection::Handle;
use crate::error::{Close, SendDatagramError, SessionError};
use crate::id::SessionId;
use crate::proto::capsule;
use crate::proto::control::Side;
use crate::proto::draft;
use crate::session::core::SessionCore;
use crate::session::exporter::{self, KeyingMaterialError};
use crate::session::state::Ask;
use crate::stream::{BiStream, RecvStream, SendStream};

/// One WebTransport session: a cheap handle, whose clones are the same session.
///
/// The session ends when either side closes it, when its connection ends, or when its last handle
/// is dropped. A stream is a handle, too: with the last `Session` gone, streams still in use go on,
/// and the session closes with code 0 once the last of them is dropped and delivered. An explicit
/// [`close`](Self::close) waits for none of that.
///
/// A peer that resets or stops a stream because its session is gone (`WT_SESSION_GONE`) ends the
/// session, if it does not say how within a second.
///
/// Streams of the peer's that had arrived to their end, and that it knew to have, when it closed
/// the session are still accepted and read; nothing else is.
#[derive(Clone)]
pub struct Session {
    /// The handle's own, kept here to spare each datagram a look at the handle.
    core: Arc<SessionCore>,
    handle: Arc<SessionHandle>,
}

impl Session {
    pub(crate) fn new(handle: Arc<SessionHandle>) -> Self {
        Self {
            core: Arc::clone(&handle.core),
            handle,
        }
    }

    /// Opens a bidirectional stream; waits while the peer's limit of open streams, of the
    /// connection or of the session, is reached.
    ///
    /// # Errors
    ///
    /// Fails once the session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stream not yet returned is not seen by the peer's application.
    pub async fn open_bi(&self) -> Result<BiStream, SessionError> {
        self.core().open_bi(&self.handle).await
    }

    /// Opens a unidirectional stream; waits while the peer's limit of open streams, of the
    /// connection or of the session, is reached.
    ///
    /// # Errors
    ///
    /// Fails once the session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stream not yet returned is not seen by the peer's application.
    pub async fn open_uni(&self) -> Result<SendStream, SessionError> {
        self.core().open_uni(&self.handle).await
    }

    /// Waits for the next bidirectional stream that the peer opens.
    ///
    /// # Errors
    ///
    /// Fails once the session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stream not yet returned stays queued for the next call.
    pub async fn accept_bi(&self) -> Result<BiStream, SessionError> {
        self.core().accept_bi(&self.handle).await
    }

    /// Waits for the next unidirectional stream that the peer opens.
    ///
    /// # Errors
    ///
    /// Fails once the session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stream not yet returned stays queued for the next call.
    pub async fn accept_uni(&self) -> Result<RecvStream, SessionError> {
        self.core().accept_uni(&self.handle).await
    }

    /// Sends a datagram: it may be lost, and overtake others; it is never split.
    ///
    /// Never waits: where the path cannot take more, older datagrams give way.
    ///
    /// # Errors
    ///
    /// Fails if `payload` is larger than [`max_datagram_size`](Self::max_datagram_size), if the
    /// peer takes no datagrams, or once the session is over. Later datagrams are not affected.
    pub fn send_datagram(&self, payload: impl AsRef<[u8]>) -> Result<(), SendDatagramError> {
        self.core().send_datagram(payload.as_ref())
    }

    /// Waits for the next datagram of the peer's.
    ///
    /// Up to [`Limits::received_datagrams`](crate::Limits::received_datagrams) are kept until they
    /// are read; beyond that the oldest gives way.
    ///
    /// # Errors
    ///
    /// Fails once the session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a datagram not yet returned stays queued for the next call.
    pub async fn read_datagram(&self) -> Result<Bytes, SessionError> {
        self.core().read_datagram().await
    }

    /// How many bytes a datagram may have on the path as it is now; `None` if the peer takes none.
    #[must_use]
    pub fn max_datagram_size(&self) -> Option<usize> {
        self.core().max_datagram_size()
    }

    /// How many received datagrams were dropped because nobody read them in time.
    #[must_use]
    pub fn dropped_datagrams(&self) -> u64 {
        self.core().dropped_datagrams()
    }

    /// Closes the session: its streams are reset, and the peer is told `code` and `reason`, of
    /// which at most 1,024 bytes are sent. The connection and its other sessions live on.
    ///
    /// Returns at once; [`closed`](Self::closed) waits until the peer knows. A session that is
    /// closed already stays closed as it was.
    pub fn close(&self, code: u32, reason: &str) {
        let reason = capsule::truncate_reason(reason);
        self.core().ask(Ask::Close(Close::new(code, reason)));
    }

    /// Tells the peer that the session should end soon; nothing ends by itself.
    ///
    /// Both sides learn it by [`draining`](Self::draining), a browser's page by its `draining`.
    pub fn drain(&self) {
        self.core().ask_drain();
    }

    /// Waits until the session is over, and says why: who closed it, with which code and reason.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call tells the same.
    pub async fn closed(&self) -> SessionError {
        self.core().over().await
    }

    /// Says whether either side has asked to finish what is open and begin nothing new.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.core().is_draining()
    }

    /// Waits until either side asks to finish what is open, or the session is over.
    ///
    /// The handler of a session on a [`Server`](crate::Server) that shuts down learns it by this,
    /// as the client does.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call tells the same.
    pub async fn draining(&self) {
        self.core().draining().await;
    }

    /// Keeps `guard` until the session is over, then drops it; at once if it is over already.
    pub fn hold(&self, guard: impl Send + 'static) {
        self.core().hold(Box::new(guard));
    }

    /// The subprotocol that was agreed on: one of those that the client offered
    /// ([`Protocols`](crate::Protocols)), chosen by the server; `None` if none was.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.handle.protocol.get().map(String::as_str)
    }

    /// Fills `output` with keys for the application, which the peer derives, too, and nobody else
    /// can: those of another session, `label` or `context` tell nothing of them. The label says
    /// what for; the context is what both sides agree on, or empty.
    ///
    /// TLS's exporter ([RFC 8446 §7.5](https://www.rfc-editor.org/rfc/rfc8446#section-7.5)) as
    /// drafts of WebTransport have it since 10.
    ///
    /// # Errors
    ///
    /// Fails if the label or the context is longer than 255 bytes, or the output longer than TLS
    /// allows, which is 255 times its hash at least.
    pub fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), KeyingMaterialError> {
        let context = exporter::context(self.core().id(), label, context)?;
        let quinn = &self.handle.connection.core.quinn;
        let exported = quinn.export_keying_material(output, draft::EXPORTER_10, &context);
        exported.map_err(|_| KeyingMaterialError::Length)
    }

    /// The session's id, the same on both sides.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(self.core().id())
    }

    /// The connection that carries the session.
    #[must_use]
    pub fn connection(&self) -> crate::Connection {
        crate::Connection::new(Arc::clone(&self.handle.connection))
    }

    fn core(&self) -> &Arc<SessionCore> {
        &self.core
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.core().id())
            .finish_non_exhaustive()
    }
}

/// What the handles of one session share: while it lives, so do the session and its connection.
pub(crate) struct SessionHandle {
    core: Arc<SessionCore>,
    connection: Arc<Handle>,
    /// Once the session is accepted, if one was agreed on.
    protocol: OnceLock<String>,
}

impl SessionHandle {
    pub(crate) fn new(core: Arc<SessionCore>, connection: Arc<Handle>) -> Arc<Self> {
        let handle = Arc::new(Self {
            core,
            connection,
            protocol: OnceLock::new(),
        });
        handle.core.set_handle(Arc::downgrade(&handle));
        handle
    }

    /// Notes the subprotocol that was agreed on.
    pub(crate) fn agree(&self, protocol: Option<String>) {
        if let Some(protocol) = protocol {
            // It is agreed on once.
            let _ = self.protocol.set(protocol);
        }
    }

    pub(crate) fn core(&self) -> &Arc<SessionCore> {
        &self.core
    }

    /// Of the connection.
    pub(crate) fn side(&self) -> Side {
        self.connection.core.side
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.core.ask(Ask::Release);
    }
}
