use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::connection::Core;
use crate::proto::settings::Settings;

/// What a connection was made with, and what both sides announced on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// [`Connector::connect_timeout`](crate::Connector::connect_timeout); `None` for a connection
    /// that was accepted, or made by [`Connection::from_quinn`](crate::Connection::from_quinn):
    /// there it is [`header_timeout`](Self::header_timeout) that counts.
    pub connect_timeout: Option<Duration>,
    /// [`Transport::keep_alive_interval`](crate::Transport::keep_alive_interval); `None` if no PING
    /// is sent, or if the transport is quinn's own type, which cannot be read.
    pub keep_alive_interval: Option<Duration>,
    /// [`Transport::max_idle_timeout`](crate::Transport::max_idle_timeout), of which the lower of
    /// both sides' holds; `None` if this side leaves it to the peer, or if the transport is quinn's
    /// own type, which cannot be read.
    pub max_idle_timeout: Option<Duration>,
    /// [`Transport::max_bi_streams`](crate::Transport::max_bi_streams), to which room for
    /// [`max_sessions`](Self::max_sessions) is added; `None` if the transport is quinn's own type,
    /// which cannot be read.
    pub max_bi_streams: Option<u32>,
    /// [`Transport::max_uni_streams`](crate::Transport::max_uni_streams), to which room for
    /// HTTP/3's own is added; `None` if the transport is quinn's own type, which cannot be read.
    pub max_uni_streams: Option<u32>,
    /// How many bytes of one stream the peer may send ahead of the application, the first of
    /// [`Transport::receive_windows`](crate::Transport::receive_windows); `None` if the transport
    /// is quinn's own type, which cannot be read.
    pub stream_receive_window: Option<u32>,
    /// How many bytes of all streams together the peer may send ahead of the application, the
    /// second of [`Transport::receive_windows`](crate::Transport::receive_windows); `None` if the
    /// transport is quinn's own type, which cannot be read.
    pub receive_window: Option<u32>,
    /// [`Limits::max_sessions`](crate::Limits::max_sessions).
    pub max_sessions: u32,
    /// [`Limits::early_streams`](crate::Limits::early_streams).
    pub early_streams: usize,
    /// [`Limits::early_datagrams`](crate::Limits::early_datagrams).
    pub early_datagrams: usize,
    /// [`Limits::received_datagrams`](crate::Limits::received_datagrams).
    pub received_datagrams: usize,
    /// [`Limits::header_block`](crate::Limits::header_block).
    pub header_block: usize,
    /// [`Limits::header_timeout`](crate::Limits::header_timeout).
    pub header_timeout: Duration,
    /// [`Limits::flush_timeout`](crate::Limits::flush_timeout).
    pub flush_timeout: Duration,
    /// This side's SETTINGS.
    pub sent: Http3Settings,
    /// The peer's SETTINGS.
    pub received: Http3Settings,
}

/// What one side's SETTINGS announce
/// ([RFC 9114 §7.2.4](https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4)): values by id.
///
/// A cheap handle, whose clones are the same settings.
#[derive(Clone)]
pub struct Http3Settings(Arc<Settings>);

/// What a connection was made with that QUIC does not tell again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timing {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keep_alive_interval: Option<Duration>,
    pub(crate) max_idle_timeout: Option<Duration>,
    pub(crate) max_bi_streams: Option<u32>,
    pub(crate) max_uni_streams: Option<u32>,
    pub(crate) stream_receive_window: Option<u32>,
    /// Of the whole connection.
    pub(crate) receive_window: Option<u32>,
}

impl ConnectionSettings {
    pub(crate) fn of(core: &Core) -> Self {
        let (limits, timing) = (&core.limits, &core.timing);
        Self {
            connect_timeout: timing.connect_timeout,
            keep_alive_interval: timing.keep_alive_interval,
            max_idle_timeout: timing.max_idle_timeout,
            max_bi_streams: timing.max_bi_streams,
            max_uni_streams: timing.max_uni_streams,
            stream_receive_window: timing.stream_receive_window,
            receive_window: timing.receive_window,
            max_sessions: limits.max_sessions,
            early_streams: limits.early_streams,
            early_datagrams: limits.early_datagrams,
            received_datagrams: limits.received_datagrams,
            header_block: limits.header_block,
            header_timeout: limits.header_timeout,
            flush_timeout: limits.flush_timeout,
            sent: Http3Settings(Arc::new(core.settings())),
            received: Http3Settings(core.peer.get().unwrap_or_default()),
        }
    }
}

impl Http3Settings {
    /// Looks up what is announced for `id`; `None` if nothing is.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<u64> {
        self.0.get(id)
    }

    /// Goes through ids and values in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter()
    }
}

impl fmt::Debug for Http3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (id, value) in self.iter() {
            map.entry(&format_args!("{id:#x}"), &value);
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_as_on_the_wire() {
        let settings = Http3Settings(Arc::new(Settings::new().with(0x33, 1).with(0x08, 0)));

        assert_eq!(format!("{settings:?}"), "{0x33: 1, 0x8: 0}");
        assert_eq!((settings.get(0x33), settings.get(9)), (Some(1), None));
    }
}
