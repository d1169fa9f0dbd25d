//! How many connections there may be, and which one ends so that another can begin.
//!
//! Each is an open file, and the store needs some too. A connection on which no request was authenticated yet counts
//! against a limit of its own. At a limit the one that was accepted first and has no request in flight is closed, those
//! without an authenticated request before all others: a client that sends its request soon always gets in.

use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;

use super::activity::Activity;
use crate::limits::Limits;

/// Connections at once, where the system allows enough files.
const CONNECTIONS_MAX: usize = 8_192;
const CONNECTIONS_MIN: usize = 16;
/// Files for which the limit is raised, where the system allows that.
const FILES_WANTED: u64 = 65_536;
/// Files that the store has at least.
const STORE_FILES_MIN: usize = 64;

/// The places for connections of a server.
#[derive(Debug)]
pub(crate) struct Places {
    all: usize,
    unproven: usize,
    per_address: Option<usize>,
    state: Mutex<State>,
    freed: Notify,
    /// Connections that were closed to make room, and that were refused for their address.
    closed: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    /// By the order in which they were accepted.
    unproven: BTreeMap<u64, Open>,
    proven: BTreeMap<u64, Open>,
    addresses: HashMap<IpAddr, usize>,
}

#[derive(Clone, Debug)]
struct Open {
    activity: Arc<Activity>,
    address: Option<IpAddr>,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

/// Connections at the moment, and what became of others since the start.
pub(crate) struct Taken {
    pub(crate) all: usize,
    pub(crate) unproven: usize,
    pub(crate) closed: u64,
    pub(crate) refused: u64,
}

impl Places {
    /// The places that the limits and the system's limit of open files give.
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let possible = possible(open_files());
        let all = limits.connections.unwrap_or(possible);
        if all > possible {
            tracing::warn!(
                set = all,
                possible,
                "limits.connections is more than the system's limit of open files allows"
            );
        }
        let all = all.min(possible);
        let unproven = limits.unauthenticated_connections.unwrap_or(all / 2);
        Arc::new(Self {
            all,
            unproven: unproven.clamp(1, all),
            per_address: limits.connections_per_address,
            state: Mutex::default(),
            freed: Notify::new(),
            closed: AtomicU64::default(),
            refused: AtomicU64::default(),
        })
    }

    /// A place for a connection that was accepted; none where its address has all that it may have. Who comes without
    /// an address came through the socket that only the directory's owner can open.
    pub(super) async fn take(
        self: &Arc<Self>,
        activity: Arc<Activity>,
        address: Option<IpAddr>,
    ) -> Option<Place> {
        let open = Open { activity, address };
        loop {
            let freed = self.freed.notified();
            match self.try_take(&open) {
                Attempt::Taken(id) => {
                    return Some(Place {
                        places: Arc::clone(self),
                        id,
                        activity: open.activity,
                    });
                }
                Attempt::Refused => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                // Its task ends before the next connection is taken.
                Attempt::MadeRoom => tokio::task::yield_now().await,
                Attempt::Full => freed.await,
            }
        }
    }

    pub(crate) fn taken(&self) -> Taken {
        let state = self.lock();
        Taken {
            all: state.len(),
            unproven: state.unproven.len(),
            closed: self.closed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn try_take(&self, open: &Open) -> Attempt {
        let mut state = self.lock();
        let known = open
            .address
            .and_then(|address| state.addresses.get(&address));
        if self
            .per_address
            .is_some_and(|most| known.copied().unwrap_or(0) >= most)
        {
            return Attempt::Refused;
        }
        let is_full = state.len() >= self.all;
        if is_full || (open.address.is_some() && state.unproven.len() >= self.unproven) {
            let Some(id) = state.oldest_at_rest() else {
                return Attempt::Full;
            };
            if let Some(closed) = state.remove(id) {
                closed.activity.closing.notify_one();
                self.closed.fetch_add(1, Ordering::Relaxed);
            }
            return Attempt::MadeRoom;
        }
        let id = state.next_id;
        state.next_id += 1;
        if let Some(address) = open.address {
            *state.addresses.entry(address).or_default() += 1;
            state.unproven.insert(id, open.clone());
        } else {
            open.activity.prove();
            state.proven.insert(id, open.clone());
        }
        Attempt::Taken(id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

enum Attempt {
    Taken(u64),
    Refused,
    MadeRoom,
    Full,
}

impl State {
    fn len(&self) -> usize {
        self.unproven.len() + self.proven.len()
    }

    /// One that has proven nothing goes even with a request in flight, before anybody else waits.
    fn oldest_at_rest(&self) -> Option<u64> {
        let at_rest = |(_, open): &(&u64, &Open)| open.activity.is_at_rest();
        let unproven = self.unproven.iter().find(at_rest);
        let found = unproven
            .or_else(|| self.unproven.iter().next())
            .or_else(|| self.proven.iter().find(at_rest));
        found.map(|(id, _)| *id)
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self
            .unproven
            .remove(&id)
            .or_else(|| self.proven.remove(&id))?;
        if let Some(address) = open.address
            && let Some(known) = self.addresses.get_mut(&address)
        {
            *known -= 1;
            if *known == 0 {
                self.addresses.remove(&address);
            }
        }
        Some(open)
    }
}

impl Place {
    /// A request of this connection was authenticated.
    pub(crate) fn prove(&self) {
        if self.activity.prove() {
            let mut state = self.places.lock();
            if let Some(open) = state.unproven.remove(&self.id) {
                state.proven.insert(self.id, open);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.id);
        self.places.freed.notify_one();
    }
}

/// Raises the limit of open files as far as it may, and gives it.
fn open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(FILES_WANTED);
    if current >= wanted {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            current
        }
    }
}

/// Connections for so many files: a quarter of them is the store's.
fn possible(files: u64) -> usize {
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let store = (files / 4).max(STORE_FILES_MIN);
    files
        .saturating_sub(store)
        .clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}
