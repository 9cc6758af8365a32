use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::{ConnectionId, ConnectionInfo, ConnectionState};

/// What a monitor wants to see of a connection, at one moment; [`ConnectionInfo`] says what each
/// figure is.
///
/// With the feature `serde` it is serialised: names as text, durations in seconds, times in seconds
/// since the Unix epoch.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionSummary {
    /// Names the connection within this process.
    pub id: ConnectionId,
    /// How far the connection is.
    pub state: ConnectionState,
    /// How long it has been, or was, established.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::duration"))]
    pub uptime: Duration,
    /// The peer's address.
    pub remote_address: Option<SocketAddr>,
    /// How many bytes were sent as payload of UDP.
    pub bytes_sent: u64,
    /// How many bytes arrived as payload of UDP.
    pub bytes_received: u64,
    /// How many UDP datagrams were sent.
    pub packets_sent: u64,
    /// How many UDP datagrams arrived.
    pub packets_received: u64,
    /// How often something went wrong.
    pub errors: u64,
    /// When the application last used the connection.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::time"))]
    pub last_activity: Option<SystemTime>,
    /// How many sessions are open, or end without the peer knowing yet.
    pub sessions: usize,
    /// QUIC's estimate of the round-trip time, smoothed.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::duration"))]
    pub rtt: Duration,
}

impl ConnectionSummary {
    pub(crate) fn new(info: &ConnectionInfo, sessions: usize) -> Self {
        Self {
            uptime: info.uptime(),
            id: info.id,
            state: info.state,
            remote_address: info.remote_address,
            bytes_sent: info.bytes_sent,
            bytes_received: info.bytes_received,
            packets_sent: info.packets_sent,
            packets_received: info.packets_received,
            errors: info.error_count,
            last_activity: info.last_activity,
            sessions,
            rtt: info.rtt,
        }
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn its_json_is_what_monitors_read() {
        let id = ConnectionId::next();
        let summary = ConnectionSummary {
            id,
            state: ConnectionState::Connected,
            uptime: Duration::from_millis(1500),
            remote_address: Some("[::1]:4433".parse().unwrap()),
            bytes_sent: 1,
            bytes_received: 2,
            packets_sent: 3,
            packets_received: 4,
            errors: 5,
            last_activity: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(2500)),
            sessions: 6,
            rtt: Duration::from_millis(250),
        };

        let json = serde_json::to_value(&summary).unwrap();

        let expected = json!({
            "id": id.to_string(),
            "state": "connected",
            "uptime": 1.5,
            "remote_address": "[::1]:4433",
            "bytes_sent": 1,
            "bytes_received": 2,
            "packets_sent": 3,
            "packets_received": 4,
            "errors": 5,
            "last_activity": 2.5,
            "sessions": 6,
            "rtt": 0.25,
        });
        assert_eq!(json, expected);
    }
}
