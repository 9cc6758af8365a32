use std::time::Duration;

use crate::proto::credit::Credit;

/// What one peer may occupy on one connection, and for how long it may keep it waiting.
///
/// Over a limit the one stream, datagram or session is shed; the rest of the connection goes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(crate) max_sessions: u32,
    pub(crate) early_streams: usize,
    pub(crate) early_datagrams: usize,
    pub(crate) received_datagrams: usize,
    pub(crate) header_block: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) credit: Credit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_sessions: 128,
            early_streams: 64,
            early_datagrams: 64,
            received_datagrams: 256,
            header_block: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            flush_timeout: Duration::from_secs(10),
            credit: Credit {
                data: 8 << 20,
                bi_streams: 1024,
                uni_streams: 1024,
            },
        }
    }
}

impl Limits {
    /// Sets how many sessions the peer may have open or asked for at once; 128 by default.
    ///
    /// The number is announced; a session beyond it is refused with `H3_REQUEST_REJECTED`.
    ///
    /// # Panics
    ///
    /// Panics if `max_sessions` is 0.
    #[must_use]
    pub fn max_sessions(mut self, max_sessions: u32) -> Self {
        assert!(
            max_sessions > 0,
            "a connection without sessions is of no use"
        );
        self.max_sessions = max_sessions;
        self
    }

    /// Sets how many streams are kept for sessions that are not yet known; 64 by default.
    ///
    /// A stream beyond it is refused with `WT_BUFFERED_STREAM_REJECTED` (`0x3994bd84`), and so is
    /// one whose session has not come within `header_timeout`, once another comes early.
    #[must_use]
    pub fn early_streams(mut self, early_streams: usize) -> Self {
        self.early_streams = early_streams;
        self
    }

    /// Sets how many datagrams are kept for sessions that are not yet known; 64 by default.
    ///
    /// Each takes up its own length, and no more time than an early stream does.
    #[must_use]
    pub fn early_datagrams(mut self, early_datagrams: usize) -> Self {
        self.early_datagrams = early_datagrams;
        self
    }

    /// Sets how many datagrams a session keeps until they are read; 256 by default.
    ///
    /// The oldest gives way to the newest, and is counted. Each takes up its own length; eight at
    /// most also hold what came from the network with them, up to 64 KiB each, so that a reader who
    /// keeps up costs no copy.
    ///
    /// # Panics
    ///
    /// Panics if `received_datagrams` is 0.
    #[must_use]
    pub fn received_datagrams(mut self, received_datagrams: usize) -> Self {
        assert!(
            received_datagrams > 0,
            "without room no datagram can be read"
        );
        self.received_datagrams = received_datagrams;
        self
    }

    /// Sets how many bytes a peer may send on the streams of one session ahead of the application,
    /// and how many streams of either kind it may have open there; 8 MiB, 1,024 and 1,024 by
    /// default.
    ///
    /// This is the flow control of each session, which drafts of WebTransport have since 12 and
    /// most browsers do not speak yet. It keeps a session that is not read from taking all of
    /// QUIC's window of the connection ([`Transport`](crate::Transport)), which is what bounds
    /// memory, so that the bytes should be fewer than those. QUIC tells no final size of a stream
    /// that is given up: for such a one the peer gets a stream's window more. Both sides have to
    /// ask for it; since draft 13, a connection without it carries one session at a time.
    ///
    /// # Panics
    ///
    /// Panics if one of them is 0: see [`without_flow_control`](Self::without_flow_control).
    #[must_use]
    pub fn session_credit(mut self, data: u32, bi_streams: u32, uni_streams: u32) -> Self {
        assert!(
            data > 0 && bi_streams > 0 && uni_streams > 0,
            "without credit, a peer can send nothing"
        );
        self.credit = Credit {
            data: data.into(),
            bi_streams: bi_streams.into(),
            uni_streams: uni_streams.into(),
        };
        self
    }

    /// Asks for no flow control of each session: with peers of draft 13 and later, a connection
    /// then carries one session at a time.
    #[must_use]
    pub fn without_flow_control(mut self) -> Self {
        self.credit = Credit::default();
        self
    }

    /// Sets how long a peer's header block may be, encoded, and how large decoded, as HTTP/3 counts
    /// it; 16 KiB by default.
    ///
    /// # Panics
    ///
    /// Panics if `header_block` is 0 or above 512 KiB.
    #[must_use]
    pub fn header_block(mut self, header_block: usize) -> Self {
        assert!(
            (1..=512 * 1024).contains(&header_block),
            "a header block of {header_block} bytes is of no use",
        );
        self.header_block = header_block;
        self
    }

    /// Sets how long a stream's header, and the peer's SETTINGS, may take; 10 s by default.
    #[must_use]
    pub fn header_timeout(mut self, header_timeout: Duration) -> Self {
        self.header_timeout = header_timeout;
        self
    }

    /// Sets how long the end of a session or connection waits until the peer has acknowledged what
    /// was sent before; 10 s by default.
    #[must_use]
    pub fn flush_timeout(mut self, flush_timeout: Duration) -> Self {
        self.flush_timeout = flush_timeout;
        self
    }
}
