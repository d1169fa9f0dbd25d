//! What a server allows its clients: bytes of bodies, connections, requests. docs/operations.md, "Limits".

use std::time::Duration;

/// Limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that the bodies of all requests may hold together, as sent and as decoded.
    pub body_memory_bytes: u64,
    /// Bytes a second that a body comes with at least, after its first 30 seconds.
    pub body_bytes_per_s: u64,
    /// How long a connection may take to its first byte, and from there to the end of its first request's head; later
    /// heads have as long.
    pub head: Duration,
    /// How long a connection may rest between requests.
    pub idle: Duration,
    /// Connections at once; none: what the system's limit of open files gives.
    pub connections: Option<usize>,
    /// Of them those on which no request was authenticated; none: half of them.
    pub unauthenticated_connections: Option<usize>,
    /// Of them those of one address; none: no limit.
    pub connections_per_address: Option<usize>,
    /// Requests a second of one API key; none: no limit.
    pub requests_per_key_s: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_memory_bytes: 256 << 20,
            body_bytes_per_s: 1 << 10,
            head: Duration::from_secs(20),
            idle: Duration::from_secs(120),
            connections: None,
            unauthenticated_connections: None,
            connections_per_address: None,
            requests_per_key_s: None,
        }
    }
}
