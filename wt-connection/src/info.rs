use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::connection::Core;
use crate::moment::Moment;
use crate::state::Progress;
use crate::{ConnectionId, ConnectionState};

/// The figures of a connection at one moment: a copy, which does not change any more.
///
/// They stay readable once the connection is over. Those of a [`Connecting`](crate::Connecting)
/// without a QUIC connection yet, or that never came to have one, are the ones named as defaults.
///
/// With the feature `serde` it is serialised, the uptime as one more field: names as text,
/// durations in seconds, times in seconds since the Unix epoch.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Names the connection within this process.
    pub id: ConnectionId,
    /// How far the connection is; [`Idle`](ConnectionState::Idle) by default.
    pub state: ConnectionState,
    /// This side's address when the connection was made; `None` by default, and for
    /// [`Connection::from_quinn`](crate::Connection::from_quinn), which knows no port.
    ///
    /// The port is the endpoint's. The IP address is the one that the client reached, or that this
    /// machine's routes lead to the server from; the endpoint's own, which may be the wildcard,
    /// where the system does not tell.
    pub local_address: Option<SocketAddr>,
    /// The peer's address, which changes when the peer migrates; `None` by default.
    pub remote_address: Option<SocketAddr>,
    /// When the state became [`Connected`](ConnectionState::Connected); `None` by default.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::time"))]
    pub established_at: Option<SystemTime>,
    /// When the state became [`Closed`](ConnectionState::Closed) or
    /// [`Failed`](ConnectionState::Failed), also of a connection that never was established; `None`
    /// by default.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::time"))]
    pub closed_at: Option<SystemTime>,
    /// How many bytes were sent as payload of UDP: all that QUIC sends, what it sends again and its
    /// handshake among them; 0 by default.
    pub bytes_sent: u64,
    /// How many bytes arrived as payload of UDP; 0 by default. A server's count is without the
    /// client's first packet.
    pub bytes_received: u64,
    /// How many UDP datagrams were sent; 0 by default.
    ///
    /// Each carries one packet of QUIC's, and in the handshake up to three.
    pub packets_sent: u64,
    /// How many UDP datagrams arrived, whether or not they could be read; 0 by default. A server's
    /// count is without the client's first.
    pub packets_received: u64,
    /// How many UDP datagrams were sent since one last arrived; 0 by default.
    ///
    /// Known as far as figures were read in the meantime: those that were sent between the last one
    /// that arrived and the next read are not among them. Read regularly, it rises on a path that
    /// has no way back.
    pub unanswered_packets: u64,
    /// How often something went wrong; 0 by default.
    ///
    /// It counts, each once:
    ///
    /// - a request or a response of the peer's that was malformed, or over a limit: too many
    ///   sessions, headers too large or too slow;
    /// - a session that the peer ended by breaking its protocol;
    /// - a stream that did not say in time what it is;
    /// - a stream or a datagram refused because too many waited for sessions not yet known
    ///   ([`Connection::refused_early`](crate::Connection::refused_early));
    /// - a received datagram that was dropped because nobody read it
    ///   ([`Session::dropped_datagrams`](crate::Session::dropped_datagrams));
    /// - the end of the connection, unless it was in order: a timeout, a reset, a broken protocol;
    /// - SETTINGS that did not come in time, of an attempt to connect, or that do not allow sessions.
    ///
    /// What an application does is no error: that it resets or stops streams, rejects or closes
    /// sessions, or answers with whatever status. Nor is what comes for a session that has just
    /// ended, nor packets that QUIC sends again. Not counted, because QUIC's implementation does
    /// not tell, are datagrams that it drops by itself: received ones that come faster than they
    /// are taken from it, and those to be sent that have no room left.
    pub error_count: u64,
    /// When the application last used the connection, as
    /// [`Connection::last_activity`](crate::Connection::last_activity); `None` by default.
    ///
    /// Converted from a clock that only goes forward, by what the clock on the wall said when the
    /// connection was made: whoever sets that one later does not move it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::time"))]
    pub last_activity: Option<SystemTime>,
    /// QUIC's estimate of the round-trip time, smoothed; 0 by default.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::duration"))]
    pub rtt: Duration,
    /// How many bytes may be under way; 0 by default.
    pub congestion_window: u64,
    /// How many of QUIC's packets were lost, as far as is known; 0 by default.
    pub lost_packets: u64,
    /// How many bytes of UDP payload the path is known to carry at once; 0 by default.
    pub mtu: u16,
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::duration"))]
    uptime: Duration,
}

impl ConnectionInfo {
    /// The figures of what has no QUIC connection yet, or never had one.
    pub(crate) fn of_attempt(id: ConnectionId, progress: Progress, now: Moment) -> Self {
        let until = progress.over.unwrap_or(now);
        let uptime = progress.established.map(|since| until.since(since));
        Self {
            id,
            state: progress.state,
            local_address: None,
            remote_address: None,
            established_at: progress.established.map(|moment| moment.wall),
            closed_at: progress.over.map(|moment| moment.wall),
            bytes_sent: 0,
            bytes_received: 0,
            packets_sent: 0,
            packets_received: 0,
            unanswered_packets: 0,
            error_count: 0,
            last_activity: None,
            rtt: Duration::ZERO,
            congestion_window: 0,
            lost_packets: 0,
            mtu: 0,
            uptime: uptime.unwrap_or_default(),
        }
    }

    pub(crate) fn of(core: &Core) -> Self {
        // Before what is counted: the end of a connection is counted before it is told.
        let progress = core.state.progress();
        let stats = core.stats();
        let last = core.activity.last_on_wall();
        // The two were read off the clock on the wall at different times.
        let last = progress.over.map_or(last, |over| last.min(over.wall));
        Self {
            local_address: core.local_address,
            remote_address: Some(core.remote_address()),
            bytes_sent: stats.udp_tx.bytes,
            bytes_received: stats.udp_rx.bytes,
            packets_sent: stats.udp_tx.datagrams,
            packets_received: stats.udp_rx.datagrams,
            unanswered_packets: core
                .unanswered
                .look(stats.udp_tx.datagrams, stats.udp_rx.datagrams),
            error_count: core.errors(),
            last_activity: Some(last),
            rtt: stats.path.rtt,
            congestion_window: stats.path.cwnd,
            lost_packets: stats.path.lost_packets,
            mtu: stats.path.current_mtu,
            ..Self::of_attempt(core.id, progress, Moment::now())
        }
    }

    /// How long the connection has been established: until this was read, or until it was closed;
    /// zero if it never was.
    ///
    /// Measured by a clock that only goes forward: it may differ from what
    /// [`established_at`](Self::established_at) and [`closed_at`](Self::closed_at) come to.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.uptime
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(moment: Moment, time: Duration) -> Moment {
        Moment {
            at: moment.at + time,
            wall: moment.wall + time,
        }
    }

    fn of(established: Option<Moment>, over: Option<Moment>, now: Moment) -> ConnectionInfo {
        let progress = Progress {
            state: ConnectionState::Connected,
            established,
            over,
        };
        ConnectionInfo::of_attempt(ConnectionId::next(), progress, now)
    }

    #[test]
    fn an_open_connection_is_up_until_now() {
        let begun = Moment::now();

        let info = of(Some(begun), None, after(begun, 3 * SECOND));

        assert_eq!(info.uptime(), 3 * SECOND);
        assert_eq!(info.established_at, Some(begun.wall));
        assert_eq!(info.closed_at, None);
    }

    #[test]
    fn the_uptime_ends_with_the_connection() {
        let begun = Moment::now();
        let over = after(begun, SECOND);

        let info = of(Some(begun), Some(over), after(begun, 3 * SECOND));

        assert_eq!(info.uptime(), SECOND);
        assert_eq!(info.closed_at, Some(over.wall));
    }

    #[test]
    fn what_never_was_established_was_never_up() {
        let over = Moment::now();

        let info = of(None, Some(over), after(over, SECOND));

        assert_eq!(info.uptime(), Duration::ZERO);
        assert_eq!(info.established_at, None);
        assert_eq!(info.closed_at, Some(over.wall));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn its_json_is_what_monitors_read() {
        let at = |millis| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        let begun = Moment::now();
        let info = ConnectionInfo {
            local_address: Some("127.0.0.1:4433".parse().unwrap()),
            remote_address: Some("[::1]:4434".parse().unwrap()),
            established_at: at(1500),
            closed_at: at(2500),
            bytes_sent: 1,
            bytes_received: 2,
            packets_sent: 3,
            packets_received: 4,
            unanswered_packets: 5,
            error_count: 6,
            last_activity: at(2250),
            rtt: Duration::from_millis(250),
            congestion_window: 7,
            lost_packets: 8,
            mtu: 1200,
            ..of(Some(begun), Some(after(begun, SECOND)), begun)
        };
        let never = of(None, None, begun);

        let json = serde_json::to_value(&info).unwrap();
        let never = serde_json::to_value(&never).unwrap();

        let expected = serde_json::json!({
            "id": info.id.to_string(),
            "state": "connected",
            "local_address": "127.0.0.1:4433",
            "remote_address": "[::1]:4434",
            "established_at": 1.5,
            "closed_at": 2.5,
            "bytes_sent": 1,
            "bytes_received": 2,
            "packets_sent": 3,
            "packets_received": 4,
            "unanswered_packets": 5,
            "error_count": 6,
            "last_activity": 2.25,
            "rtt": 0.25,
            "congestion_window": 7,
            "lost_packets": 8,
            "mtu": 1200,
            "uptime": 1.0,
        });
        assert_eq!(json, expected);
        for field in [
            "local_address",
            "remote_address",
            "established_at",
            "last_activity",
        ] {
            assert!(never[field].is_null(), "{field}");
        }
    }
}
