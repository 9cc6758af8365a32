use std::net::SocketAddr;

use crate::ConnectionId;

/// How a [`Server`](crate::Server) ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How many connections were open when it began.
    pub connections: usize,
    /// Those that were not done by the deadline.
    pub cut: Vec<Cut>,
}

/// A connection that was closed though something was still open on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The connection.
    pub id: ConnectionId,
    /// The client's address.
    pub remote_address: SocketAddr,
    /// How many sessions were open.
    pub sessions: usize,
    /// How many requests had no whole response.
    pub requests: usize,
}
