//! How figures are serialised.

use std::time::{Duration, SystemTime};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{ConnectionId, ConnectionState, Issue};

/// As its text.
impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As its word.
impl Serialize for ConnectionState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As its kind and its figure, beside its text and its recommendation.
impl Serialize for Issue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut issue = serializer.serialize_struct("Issue", 4)?;
        issue.serialize_field("kind", kind(self))?;
        match self {
            Self::NotConnected { state } => issue.serialize_field("state", state)?,
            Self::ManyErrors { errors } => issue.serialize_field("errors", errors)?,
            Self::Stale { idle } => issue.serialize_field("idle", &idle.as_secs_f64())?,
            Self::NothingReceived { packets_sent } => {
                issue.serialize_field("packets_sent", packets_sent)?;
            }
            Self::HighLatency { rtt } => issue.serialize_field("rtt", &rtt.as_secs_f64())?,
            Self::PingTimedOut { timeout } | Self::NoStreamForPing { timeout } => {
                issue.serialize_field("timeout", &timeout.as_secs_f64())?;
            }
            Self::PingFailed { error } => issue.serialize_field("error", &error.to_string())?,
        }
        issue.serialize_field("issue", &self.to_string())?;
        issue.serialize_field("recommendation", self.recommendation())?;
        issue.end()
    }
}

/// What programs tell issues apart by.
fn kind(issue: &Issue) -> &'static str {
    match issue {
        Issue::NotConnected { .. } => "not_connected",
        Issue::ManyErrors { .. } => "many_errors",
        Issue::Stale { .. } => "stale",
        Issue::NothingReceived { .. } => "nothing_received",
        Issue::HighLatency { .. } => "high_latency",
        Issue::PingTimedOut { .. } => "ping_timed_out",
        Issue::NoStreamForPing { .. } => "no_stream_for_ping",
        Issue::PingFailed { .. } => "ping_failed",
    }
}

/// In seconds.
pub(crate) fn duration<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// In seconds.
pub(crate) fn optional_duration<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

/// In seconds since the Unix epoch, negative before it.
pub(crate) fn time<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(seconds).serialize(serializer)
}

fn seconds(time: SystemTime) -> f64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ConnectionError;

    #[test]
    fn each_kind_of_issue_has_its_name_and_its_figure() {
        let state = ConnectionState::Draining;
        let rtt = Duration::from_millis(1250);
        let timeout = Duration::from_secs(5);
        let idle = Duration::from_secs(400);
        let error = ConnectionError::Reset;
        let why = error.to_string();
        let expected = [
            (
                Issue::NotConnected { state },
                "not_connected",
                "state",
                json!("draining"),
            ),
            (
                Issue::ManyErrors { errors: 11 },
                "many_errors",
                "errors",
                json!(11),
            ),
            (Issue::Stale { idle }, "stale", "idle", json!(400.0)),
            (
                Issue::NothingReceived { packets_sent: 7 },
                "nothing_received",
                "packets_sent",
                json!(7),
            ),
            (
                Issue::HighLatency { rtt },
                "high_latency",
                "rtt",
                json!(1.25),
            ),
            (
                Issue::PingTimedOut { timeout },
                "ping_timed_out",
                "timeout",
                json!(5.0),
            ),
            (
                Issue::NoStreamForPing { timeout },
                "no_stream_for_ping",
                "timeout",
                json!(5.0),
            ),
            (
                Issue::PingFailed { error },
                "ping_failed",
                "error",
                json!(why),
            ),
        ];
        for (issue, kind, name, figure) in expected {
            let Value::Object(json) = serde_json::to_value(&issue).unwrap() else {
                panic!("no object");
            };

            assert_eq!((&json["kind"], &json[name]), (&json!(kind), &figure));
            assert_eq!(json["issue"], issue.to_string());
            assert_eq!(json["recommendation"], issue.recommendation());
            assert_eq!(json.len(), 4);
        }
    }

    #[test]
    fn times_count_from_the_epoch_both_ways() {
        let half = Duration::from_millis(1500);

        assert_eq!(seconds(SystemTime::UNIX_EPOCH + half), 1.5);
        assert_eq!(seconds(SystemTime::UNIX_EPOCH - half), -1.5);
    }
}
