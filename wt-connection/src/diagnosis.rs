use std::fmt;
use std::time::Duration;

use crate::error::{ConnectionError, PingError};
use crate::thresholds::Thresholds;
use crate::{ConnectionId, ConnectionInfo, ConnectionState};

/// What is wrong with a connection, as [`Connection::diagnose`](crate::Connection::diagnose) finds
/// it.
///
/// With the feature `serde` it is serialised, durations in seconds. An issue has its `kind`, which
/// is the variant's name in snake case, the variant's field by its own name, and for people
/// `issue`, a sentence, and `recommendation`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Diagnosis {
    /// Names the connection within this process.
    pub id: ConnectionId,
    /// How far the connection is.
    pub state: ConnectionState,
    /// What is wrong; empty if nothing is.
    pub issues: Vec<Issue>,
    /// How long the peer took to answer a ping; `None` if it did not, or was not pinged.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::serial::optional_duration")
    )]
    pub rtt: Option<Duration>,
}

/// One thing that is wrong with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Issue {
    /// It is not open for new sessions.
    NotConnected {
        /// How far it is.
        state: ConnectionState,
    },
    /// More went wrong than [`Thresholds::errors`].
    ManyErrors {
        /// How often something did, as in [`ConnectionInfo::error_count`].
        errors: u64,
    },
    /// The application has not used it for longer than [`Thresholds::stale_after`].
    Stale {
        /// For how long.
        idle: Duration,
    },
    /// Nothing came back, though more was sent than [`Thresholds::unanswered_packets`].
    NothingReceived {
        /// How many packets were sent since one last arrived, as in
        /// [`ConnectionInfo::unanswered_packets`].
        packets_sent: u64,
    },
    /// The peer took longer to answer a ping than [`Thresholds::rtt`].
    HighLatency {
        /// How long it took.
        rtt: Duration,
    },
    /// The peer did not answer a ping within [`Thresholds::ping_timeout`].
    PingTimedOut {
        /// How long was waited.
        timeout: Duration,
    },
    /// No stream was free for a ping within [`Thresholds::ping_timeout`].
    NoStreamForPing {
        /// How long was waited.
        timeout: Duration,
    },
    /// The connection ended under a ping.
    PingFailed {
        /// How it ended.
        error: ConnectionError,
    },
}

impl Diagnosis {
    /// Judges a connection that was last used so long ago, and that was pinged or not.
    pub(crate) fn new(
        info: &ConnectionInfo,
        idle: Duration,
        ping: Option<Result<Duration, PingError>>,
        thresholds: Thresholds,
    ) -> Self {
        let mut issues = Vec::new();
        let state = info.state;
        if state != ConnectionState::Connected {
            issues.push(Issue::NotConnected { state });
        }
        if info.error_count > thresholds.errors {
            let errors = info.error_count;
            issues.push(Issue::ManyErrors { errors });
        }
        if idle > thresholds.stale_after {
            issues.push(Issue::Stale { idle });
        }
        if info.unanswered_packets > thresholds.unanswered_packets {
            let packets_sent = info.unanswered_packets;
            issues.push(Issue::NothingReceived { packets_sent });
        }
        let rtt = match ping {
            Some(Ok(rtt)) => {
                if rtt > thresholds.rtt {
                    issues.push(Issue::HighLatency { rtt });
                }
                Some(rtt)
            }
            Some(Err(PingError::TimedOut)) => {
                let timeout = thresholds.ping_timeout;
                issues.push(Issue::PingTimedOut { timeout });
                None
            }
            Some(Err(PingError::NoStream)) => {
                let timeout = thresholds.ping_timeout;
                issues.push(Issue::NoStreamForPing { timeout });
                None
            }
            Some(Err(PingError::Connection(error))) => {
                issues.push(Issue::PingFailed { error });
                None
            }
            None => None,
        };
        Self {
            id: info.id,
            state,
            issues,
            rtt,
        }
    }

    /// Says whether nothing is wrong.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.issues.is_empty()
    }
}

impl Issue {
    /// What to do about it.
    #[must_use]
    pub fn recommendation(&self) -> &'static str {
        match self {
            Self::NotConnected { state } => match state {
                ConnectionState::Idle
                | ConnectionState::Connecting
                | ConnectionState::Connected => "wait until it is connected",
                ConnectionState::Draining => "connect anew for what is to begin",
                ConnectionState::Closing | ConnectionState::Closed => {
                    "connect anew if it is still needed"
                }
                ConnectionState::Failed => "connect anew, and see that the network leads there",
            },
            Self::ManyErrors { .. } => "look for what the peer sends that breaks rules or limits",
            Self::Stale { .. } => "close it if nobody needs it",
            Self::NothingReceived { .. } => {
                "see that firewalls let UDP back, and that the peer runs"
            }
            Self::HighLatency { .. } => "look for congestion on the path, or load on the peer",
            Self::PingTimedOut { .. } => "connect anew: the peer may be gone",
            Self::NoStreamForPing { .. } => {
                "finish or reset unidirectional streams, or have the peer allow more of them"
            }
            Self::PingFailed { .. } => "connect anew",
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected { state } => write!(f, "not connected but {state}"),
            Self::ManyErrors { errors } => write!(f, "many errors: {errors}"),
            Self::Stale { idle } => write!(f, "not used for {idle:?}"),
            Self::NothingReceived { packets_sent } => {
                write!(f, "{packets_sent} packets sent since one was received")
            }
            Self::HighLatency { rtt } => write!(f, "high latency: {rtt:?}"),
            Self::PingTimedOut { timeout } => write!(f, "no answer to a ping within {timeout:?}"),
            Self::NoStreamForPing { timeout } => {
                write!(f, "no stream was free for a ping within {timeout:?}")
            }
            Self::PingFailed { error } => write!(f, "a ping failed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;
    use crate::state::Progress;

    const SECOND: Duration = Duration::from_secs(1);
    const FAST: Option<Result<Duration, PingError>> = Some(Ok(Duration::from_millis(1)));

    fn info(state: ConnectionState) -> ConnectionInfo {
        let progress = Progress {
            state,
            established: None,
            over: None,
        };
        ConnectionInfo::of_attempt(ConnectionId::next(), progress, Moment::now())
    }

    fn connected() -> ConnectionInfo {
        info(ConnectionState::Connected)
    }

    fn issues(
        info: &ConnectionInfo,
        idle: Duration,
        ping: Option<Result<Duration, PingError>>,
    ) -> Vec<Issue> {
        Diagnosis::new(info, idle, ping, Thresholds::default()).issues
    }

    #[test]
    fn a_connection_that_answers_has_no_issue() {
        let diagnosis = Diagnosis::new(&connected(), SECOND, FAST, Thresholds::default());

        assert!(diagnosis.is_healthy(), "{diagnosis:?}");
        assert_eq!(diagnosis.rtt, Some(Duration::from_millis(1)));
        assert_eq!(diagnosis.state, ConnectionState::Connected);
    }

    #[test]
    fn what_is_in_any_other_state_is_not_connected() {
        for state in [
            ConnectionState::Idle,
            ConnectionState::Connecting,
            ConnectionState::Draining,
            ConnectionState::Closing,
            ConnectionState::Closed,
            ConnectionState::Failed,
        ] {
            let found = issues(&info(state), SECOND, None);

            assert_eq!(found, [Issue::NotConnected { state }]);
        }
    }

    #[test]
    fn more_than_ten_errors_are_many() {
        let mut info = connected();

        info.error_count = 10;
        assert_eq!(issues(&info, SECOND, FAST), []);
        info.error_count = 11;

        let many = Issue::ManyErrors { errors: 11 };
        assert_eq!(issues(&info, SECOND, FAST), [many]);
    }

    #[test]
    fn what_is_not_used_for_more_than_five_minutes_is_stale() {
        let info = connected();

        assert_eq!(issues(&info, 300 * SECOND, FAST), []);
        let idle = 301 * SECOND;

        assert_eq!(issues(&info, idle, FAST), [Issue::Stale { idle }]);
    }

    #[test]
    fn more_than_a_thousand_packets_without_an_answer_are_an_issue() {
        let mut info = connected();

        info.packets_received = 1;
        info.unanswered_packets = 1000;
        assert_eq!(issues(&info, SECOND, FAST), []);
        info.unanswered_packets = 1001;

        let unanswered = Issue::NothingReceived { packets_sent: 1001 };
        assert_eq!(issues(&info, SECOND, FAST), [unanswered]);
    }

    #[test]
    fn an_answer_after_more_than_a_second_is_late() {
        let rtt = Duration::from_millis(1001);

        assert_eq!(issues(&connected(), SECOND, Some(Ok(SECOND))), []);
        let diagnosis = Diagnosis::new(&connected(), SECOND, Some(Ok(rtt)), Thresholds::default());

        assert_eq!(diagnosis.issues, [Issue::HighLatency { rtt }]);
        assert_eq!(diagnosis.rtt, Some(rtt));
    }

    #[test]
    fn a_ping_without_an_answer_is_an_issue() {
        let found = issues(&connected(), SECOND, Some(Err(PingError::TimedOut)));

        let timeout = 5 * SECOND;
        assert_eq!(found, [Issue::PingTimedOut { timeout }]);
    }

    #[test]
    fn a_ping_without_a_stream_says_nothing_of_the_peer() {
        let found = issues(&connected(), SECOND, Some(Err(PingError::NoStream)));

        let timeout = 5 * SECOND;
        assert_eq!(found, [Issue::NoStreamForPing { timeout }]);
        assert!(!found[0].recommendation().contains("gone"));
    }

    #[test]
    fn a_ping_under_which_the_connection_ends_is_an_issue() {
        let error = ConnectionError::Reset;
        let failed = PingError::Connection(error.clone());

        let found = issues(&connected(), SECOND, Some(Err(failed)));

        assert_eq!(found, [Issue::PingFailed { error }]);
    }

    #[test]
    fn thresholds_of_ones_own_count() {
        let mut info = connected();
        info.error_count = 1;
        info.unanswered_packets = 1;
        let thresholds = Thresholds::default()
            .errors(0)
            .stale_after(Duration::ZERO)
            .unanswered_packets(0)
            .rtt(Duration::ZERO)
            .ping_timeout(SECOND);

        let answered = Diagnosis::new(&info, SECOND, FAST, thresholds).issues;
        let timed_out = Some(Err(PingError::TimedOut));
        let unanswered = Diagnosis::new(&info, SECOND, timed_out, thresholds).issues;

        assert_eq!(answered.len(), 4, "{answered:?}");
        assert_eq!(
            unanswered.last(),
            Some(&Issue::PingTimedOut { timeout: SECOND })
        );
    }

    #[test]
    fn an_issue_tells_its_figures_and_what_to_do() {
        let idle = 400 * SECOND;

        let issue = Issue::Stale { idle };

        assert_eq!(issue.to_string(), "not used for 400s");
        assert_eq!(issue.recommendation(), "close it if nobody needs it");
    }

    #[test]
    fn only_what_failed_is_to_be_looked_for_in_the_network() {
        // It was said of what was closed or drained, too.
        for (state, network) in [
            (ConnectionState::Draining, false),
            (ConnectionState::Closing, false),
            (ConnectionState::Closed, false),
            (ConnectionState::Failed, true),
        ] {
            let advice = Issue::NotConnected { state }.recommendation();

            assert!(advice.starts_with("connect anew"), "{advice}");
            assert_eq!(advice.contains("network"), network, "{advice}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn its_json_is_what_monitors_read() {
        let mut info = connected();
        info.error_count = 11;
        let rtt = Some(Ok(Duration::from_millis(250)));

        let diagnosis = Diagnosis::new(&info, SECOND, rtt, Thresholds::default());
        let json = serde_json::to_value(&diagnosis).unwrap();

        let expected = serde_json::json!({
            "id": info.id.to_string(),
            "state": "connected",
            "issues": [{
                "kind": "many_errors",
                "errors": 11,
                "issue": "many errors: 11",
                "recommendation": "look for what the peer sends that breaks rules or limits",
            }],
            "rtt": 0.25,
        });
        assert_eq!(json, expected);
    }
}
