use bytes::Bytes;

/// What arrived before the session was open.
#[derive(Debug)]
pub(crate) struct Early<S> {
    pub(crate) streams: Vec<S>,
    pub(crate) datagrams: Vec<Bytes>,
}

/// What becomes of a stream or a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<T> {
    Kept,
    /// Refused with this code of HTTP/3's.
    Refuse(T, u64),
}

impl<S> Default for Early<S> {
    fn default() -> Self {
        Self {
            streams: Vec::new(),
            datagrams: Vec::new(),
        }
    }
}
