use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use quinn::IdleTimeout;
use quinn::congestion::{ControllerFactory, CubicConfig};

use crate::congestion::Openable;
use crate::limits::Limits;
use crate::settings::Timing;

/// QUIC's settings for each connection: what keeps it alive, what it may carry.
///
/// Or a [`quinn::TransportConfig`] of your own, by [`From`], which is then used as it is: its
/// connections' end waits for room in the congestion window, as quinn has it, and the peer of one
/// that is closed amid an upload may hear of it by its idle timeout alone.
#[derive(Clone)]
pub struct Transport(Source);

#[derive(Clone)]
enum Source {
    Ours(Ours),
    Yours(Arc<quinn::TransportConfig>),
}

#[derive(Clone)]
struct Ours {
    keep_alive_interval: Option<Duration>,
    /// One that QUIC can announce.
    max_idle_timeout: Option<Duration>,
    max_bi_streams: u32,
    max_uni_streams: u32,
    stream_receive_window: u32,
    receive_window: u32,
    congestion_controller: Option<Arc<dyn ControllerFactory + Send + Sync>>,
    #[cfg(feature = "qlog")]
    qlog: Option<Arc<std::path::Path>>,
}

impl Default for Transport {
    fn default() -> Self {
        Self(Source::Ours(Ours::default()))
    }
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            keep_alive_interval: Some(Duration::from_secs(10)),
            max_idle_timeout: Some(Duration::from_secs(30)),
            max_bi_streams: 256,
            max_uni_streams: 256,
            stream_receive_window: 1_250_000,
            receive_window: 16 << 20,
            congestion_controller: None,
            #[cfg(feature = "qlog")]
            qlog: None,
        }
    }
}

impl From<quinn::TransportConfig> for Transport {
    fn from(config: quinn::TransportConfig) -> Self {
        Arc::new(config).into()
    }
}

impl From<Arc<quinn::TransportConfig>> for Transport {
    fn from(config: Arc<quinn::TransportConfig>) -> Self {
        Self(Source::Yours(config))
    }
}

/// A setter replaces a [`quinn::TransportConfig`] of your own by the defaults: set it there.
impl Transport {
    /// Sets the time of silence after which a PING keeps the path open; 10 s by default.
    ///
    /// `None` sends none, so that a connection without traffic dies of the idle timeout.
    #[must_use]
    pub fn keep_alive_interval(self, keep_alive_interval: Option<Duration>) -> Self {
        self.set(|ours| ours.keep_alive_interval = keep_alive_interval)
    }

    /// Sets the silence after which the peer counts as gone; 30 s by default.
    ///
    /// The lower of both sides' values holds; `None` leaves it to the peer.
    ///
    /// # Panics
    ///
    /// Panics if it is longer than 2^62 milliseconds.
    #[must_use]
    pub fn max_idle_timeout(self, max_idle_timeout: Option<Duration>) -> Self {
        // Refused here, rather than when a connection is made.
        max_idle_timeout.map(idle_timeout);
        self.set(|ours| ours.max_idle_timeout = max_idle_timeout)
    }

    /// Sets how many bidirectional streams the peer may have open at once, over all sessions; 256
    /// by default. Room for the sessions themselves is added to it.
    #[must_use]
    pub fn max_bi_streams(self, max_bi_streams: u32) -> Self {
        self.set(|ours| ours.max_bi_streams = max_bi_streams)
    }

    /// Sets how many unidirectional streams the peer may have open at once, over all sessions; 256
    /// by default. Room for HTTP/3's own is added to it.
    #[must_use]
    pub fn max_uni_streams(self, max_uni_streams: u32) -> Self {
        self.set(|ours| ours.max_uni_streams = max_uni_streams)
    }

    /// Sets how many bytes of one stream the peer may send ahead of the application, and of all
    /// streams of the connection together; 1.25 MB and 16 MiB by default.
    ///
    /// The second is what a peer can make one connection hold. Streams that nobody reads take from
    /// it, and once they have all of it, no other stream gets on. Those that arrived whole and
    /// outlive their session may hold as much again.
    #[must_use]
    pub fn receive_windows(self, stream: u32, connection: u32) -> Self {
        self.set(|ours| {
            ours.stream_receive_window = stream;
            ours.receive_window = connection;
        })
    }

    /// Sets the congestion controller; quinn's default (CUBIC) otherwise.
    ///
    /// Its state is wrapped: `quinn::Connection::congestion_state` gives none of its type.
    #[must_use]
    pub fn congestion_controller(
        self,
        factory: Arc<dyn ControllerFactory + Send + Sync + 'static>,
    ) -> Self {
        self.set(|ours| ours.congestion_controller = Some(factory))
    }

    /// Writes a qlog file for each connection into `folder`, which must exist.
    #[cfg(feature = "qlog")]
    #[must_use]
    pub fn qlog(self, folder: impl Into<std::path::PathBuf>) -> Self {
        let folder = folder.into();
        self.set(|ours| ours.qlog = Some(folder.into()))
    }

    /// The settings for one more connection.
    pub(crate) fn config(&self, limits: &Limits) -> Arc<quinn::TransportConfig> {
        match &self.0 {
            Source::Ours(ours) => Arc::new(ours.config(limits)),
            Source::Yours(config) => Arc::clone(config),
        }
    }

    /// Says whether each connection needs settings of its own.
    pub(crate) fn is_per_connection(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "qlog")]
            Source::Ours(ours) => ours.qlog.is_some(),
            _ => false,
        }
    }

    /// What of it a connection tells; nothing of one of your own, which cannot be read.
    pub(crate) fn timing(&self) -> Timing {
        match &self.0 {
            Source::Ours(ours) => Timing {
                connect_timeout: None,
                keep_alive_interval: ours.keep_alive_interval,
                max_idle_timeout: ours.max_idle_timeout,
                max_bi_streams: Some(ours.max_bi_streams),
                max_uni_streams: Some(ours.max_uni_streams),
                stream_receive_window: Some(ours.stream_receive_window),
                receive_window: Some(ours.receive_window),
            },
            Source::Yours(_) => Timing::default(),
        }
    }

    fn set(self, set: impl FnOnce(&mut Ours)) -> Self {
        let mut ours = match self.0 {
            Source::Ours(ours) => ours,
            Source::Yours(_) => Ours::default(),
        };
        set(&mut ours);
        Self(Source::Ours(ours))
    }
}

impl Ours {
    fn config(&self, limits: &Limits) -> quinn::TransportConfig {
        let mut config = quinn::TransportConfig::default();
        config
            .keep_alive_interval(self.keep_alive_interval)
            .max_idle_timeout(self.max_idle_timeout.map(idle_timeout))
            .max_concurrent_bidi_streams(
                self.max_bi_streams
                    .saturating_add(limits.max_sessions)
                    .into(),
            )
            .stream_receive_window(self.stream_receive_window.into())
            .receive_window(self.receive_window.into())
            .max_concurrent_uni_streams(self.max_uni_streams.saturating_add(HTTP3_STREAMS).into());
        let factory = match &self.congestion_controller {
            Some(factory) => Arc::clone(factory),
            None => Arc::new(CubicConfig::default()),
        };
        config.congestion_controller_factory(Arc::new(Openable(factory)));
        #[cfg(feature = "qlog")]
        if let Some(folder) = &self.qlog {
            config.qlog_stream(crate::qlog::stream(folder));
        }
        config
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Yours(config) => config.fmt(f),
            Source::Ours(ours) => f
                .debug_struct("Transport")
                .field("keep_alive_interval", &ours.keep_alive_interval)
                .field("max_idle_timeout", &ours.max_idle_timeout)
                .field("max_bi_streams", &ours.max_bi_streams)
                .field("max_uni_streams", &ours.max_uni_streams)
                .field("stream_receive_window", &ours.stream_receive_window)
                .field("receive_window", &ours.receive_window)
                .finish_non_exhaustive(),
        }
    }
}

fn idle_timeout(timeout: Duration) -> IdleTimeout {
    IdleTimeout::try_from(timeout).expect("at most 2^62 milliseconds")
}

/// Control, QPACK encoder, QPACK decoder, and one to spare for a reserved type.
const HTTP3_STREAMS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_a_connection_alive_that_nobody_uses() {
        let ours = Ours::default();

        assert_eq!(ours.keep_alive_interval, Some(Duration::from_secs(10)));
        assert_eq!(ours.max_idle_timeout, Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_setter_takes_the_place_of_settings_of_ones_own() {
        let transport = Transport::from(quinn::TransportConfig::default()).max_bi_streams(7);

        assert!(matches!(transport.0, Source::Ours(ours) if ours.max_bi_streams == 7));
    }
}
