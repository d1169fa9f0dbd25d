//! The limits of a server, from its settings.

use std::time::Duration;

use super::parse::{number_or_none, number_within};
use super::{Key, Layers, keys};
use trailkeep_server::limits::Limits;

/// Below this, not even one body of the usual size would fit.
const BODY_MEMORY_LEAST: u64 = 1 << 20;
const DAY_S: u64 = 86_400;

/// What is set is wrong, which is noted.
struct Wrong;

impl Layers {
    /// None where one is wrong. Each is read, so that each fault is said.
    pub(super) fn limits(&mut self) -> Option<Limits> {
        let memory = number_within(BODY_MEMORY_LEAST, i64::MAX.unsigned_abs());
        let body_memory_bytes = self.value(&keys::LIMITS_BODY_MEMORY_BYTES, memory);
        let body_bytes_per_s =
            self.value(&keys::LIMITS_BODY_BYTES_PER_S, number_within(1, 1 << 20));
        let idle = self.value(&keys::IDLE_S, number_within(1, DAY_S));
        let head = self.value(&keys::HEAD_S, number_within(1, 3_600));
        let connections = self.optional(&keys::LIMITS_CONNECTIONS);
        let unauthenticated_connections = self.optional(&keys::LIMITS_UNAUTHENTICATED_CONNECTIONS);
        let connections_per_address = self.optional(&keys::LIMITS_CONNECTIONS_PER_ADDRESS);
        let requests_per_key_s = self.optional(&keys::LIMITS_REQUESTS_PER_KEY_S);
        Some(Limits {
            body_memory_bytes: body_memory_bytes?,
            body_bytes_per_s: body_bytes_per_s?,
            head: Duration::from_secs(head?),
            idle: Duration::from_secs(idle?),
            connections: connections.ok()?,
            unauthenticated_connections: unauthenticated_connections.ok()?,
            connections_per_address: connections_per_address.ok()?,
            requests_per_key_s: requests_per_key_s
                .ok()?
                .map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        })
    }

    /// A number that need not be set.
    fn optional(&mut self, key: &Key) -> Result<Option<usize>, Wrong> {
        if self.find(key).is_none() {
            return Ok(None);
        }
        self.value(key, number_or_none).ok_or(Wrong)
    }
}
