use std::time::Duration;

/// What [`Connection::diagnose`](crate::Connection::diagnose) judges by: how high each figure may
/// be before it is an issue.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    pub(crate) errors: u64,
    pub(crate) stale_after: Duration,
    pub(crate) unanswered_packets: u64,
    pub(crate) rtt: Duration,
    pub(crate) ping_timeout: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            errors: 10,
            stale_after: Duration::from_secs(300),
            unanswered_packets: 1000,
            rtt: Duration::from_secs(1),
            ping_timeout: Duration::from_secs(5),
        }
    }
}

impl Thresholds {
    /// Sets how many errors are still fine; 10 by default.
    #[must_use]
    pub fn errors(mut self, errors: u64) -> Self {
        self.errors = errors;
        self
    }

    /// Sets for how long the application may leave the connection alone; 5 minutes by default.
    #[must_use]
    pub fn stale_after(mut self, stale_after: Duration) -> Self {
        self.stale_after = stale_after;
        self
    }

    /// Sets how many packets may be sent since one was last received; 1,000 by default.
    #[must_use]
    pub fn unanswered_packets(mut self, unanswered_packets: u64) -> Self {
        self.unanswered_packets = unanswered_packets;
        self
    }

    /// Sets how long the peer may take to answer a ping; 1 s by default.
    #[must_use]
    pub fn rtt(mut self, rtt: Duration) -> Self {
        self.rtt = rtt;
        self
    }

    /// Sets how long an answer to a ping is waited for; 5 s by default.
    #[must_use]
    pub fn ping_timeout(mut self, ping_timeout: Duration) -> Self {
        self.ping_timeout = ping_timeout;
        self
    }
}
