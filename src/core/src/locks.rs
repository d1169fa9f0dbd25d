//! The locks that use cases take, and the one order in which they are taken.
//!
//! A thread that holds a lock takes only locks that stand below it in [`Rank`]. So no two threads can wait for each
//! other. A build with debug assertions stops at a place that takes them in another order.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{
    ArcMutexGuard, Mutex, MutexGuard, RawMutex, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use trailkeep_proof::ids::TenantName;

/// The order: what stands first is taken first.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Rank {
    Destruction,
    Keeping,
    Creation,
    Decision,
    Requests,
    Classes,
    Names,
}

thread_local! {
    static HELD: Cell<u8> = const { Cell::new(0) };
}

/// That a thread holds a lock of a rank.
struct Place(u8);

impl Place {
    fn take(rank: Rank) -> Self {
        let bit = 1 << rank as u8;
        HELD.with(|held| {
            debug_assert!(
                held.get() < bit,
                "the lock {rank:?} is taken while one of the same rank or below is held: {:#b}",
                held.get()
            );
            held.set(held.get() | bit);
        });
        Self(bit)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        HELD.with(|held| held.set(held.get() & !self.0));
    }
}

/// A lock is held until this is dropped.
pub struct Held<'a> {
    // Released before the place is given back.
    _guard: MutexGuard<'a, ()>,
    _place: Place,
}

/// One tenant's payloads may be destroyed until this is dropped.
pub struct Destruction<'a> {
    _own: ArcMutexGuard<RawMutex, ()>,
    _not_copied: RwLockReadGuard<'a, ()>,
    _place: Place,
}

/// Nothing of any tenant is destroyed until this is dropped.
pub struct NoDestruction<'a> {
    _all: RwLockWriteGuard<'a, ()>,
    _place: Place,
}

/// The locks of one engine.
#[derive(Default)]
pub struct Locks {
    copying: RwLock<()>,
    destruction: Mutex<HashMap<TenantName, Arc<Mutex<()>>>>,
    keeping: Mutex<()>,
    creation: Mutex<()>,
    decision: Mutex<()>,
    requests: Mutex<()>,
    classes: Mutex<()>,
    names: Mutex<()>,
}

impl Locks {
    /// Held while something of a tenant is destroyed, from its statement to its end. Other tenants do not wait.
    pub(crate) fn destruction(&self, tenant: &TenantName) -> Destruction<'_> {
        let place = Place::take(Rank::Destruction);
        let not_copied = self.copying.read();
        Destruction {
            _own: self.of_tenant(tenant).lock_arc(),
            _not_copied: not_copied,
            _place: place,
        }
    }

    /// The same, unless somebody destroys something of the tenant, or copies the ledgers.
    pub(crate) fn try_destruction(&self, tenant: &TenantName) -> Option<Destruction<'_>> {
        let place = Place::take(Rank::Destruction);
        let not_copied = self.copying.try_read()?;
        Some(Destruction {
            _own: self.of_tenant(tenant).try_lock_arc()?,
            _not_copied: not_copied,
            _place: place,
        })
    }

    /// Held while the ledgers are copied.
    pub(crate) fn no_destruction(&self) -> NoDestruction<'_> {
        let place = Place::take(Rank::Destruction);
        NoDestruction {
            _all: self.copying.write(),
            _place: place,
        }
    }

    /// Held while old pages are purged and nobody copies the ledgers.
    pub(crate) fn try_not_copied(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.copying.try_read()
    }

    /// Held while the vault is copied, or the epoch keys change.
    pub(crate) fn keeping(&self) -> Held<'_> {
        hold(&self.keeping, Rank::Keeping)
    }

    /// Held while a ledger or an API key is created, or settings change.
    pub(crate) fn creation(&self) -> Held<'_> {
        hold(&self.creation, Rank::Creation)
    }

    /// Held while it is decided what is destroyed, and while a hold is placed or released: neither comes between.
    pub(crate) fn decision(&self) -> Held<'_> {
        hold(&self.decision, Rank::Decision)
    }

    /// Held while the row of a data subject request is read and written.
    pub(crate) fn requests(&self) -> Held<'_> {
        hold(&self.requests, Rank::Requests)
    }

    /// Held while a retention class is defined: its number is looked up before it is taken.
    pub(crate) fn classes(&self) -> Held<'_> {
        hold(&self.classes, Rank::Classes)
    }

    /// Held while a name gets its number, or a price table is stated.
    pub(crate) fn names(&self) -> Held<'_> {
        hold(&self.names, Rank::Names)
    }

    fn of_tenant(&self, tenant: &TenantName) -> Arc<Mutex<()>> {
        let mut known = self.destruction.lock();
        Arc::clone(known.entry(tenant.clone()).or_default())
    }
}

fn hold(mutex: &Mutex<()>, rank: Rank) -> Held<'_> {
    let place = Place::take(rank);
    Held {
        _guard: mutex.lock(),
        _place: place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantName {
        TenantName::new(name).unwrap()
    }

    #[test]
    fn one_tenant_s_deletion_does_not_wait_for_another_s() {
        let locks = Locks::default();
        let _one = locks.destruction(&tenant("one"));
        std::thread::scope(|scope| {
            let others = || {
                let other = locks.try_destruction(&tenant("other")).is_some();
                (other, locks.try_destruction(&tenant("one")).is_some())
            };
            assert_eq!(scope.spawn(others).join().unwrap(), (true, false));
        });
    }

    #[test]
    fn no_deletion_begins_while_the_ledgers_are_copied() {
        let locks = Locks::default();
        let _copying = locks.no_destruction();
        std::thread::scope(|scope| {
            let begun = scope.spawn(|| locks.try_destruction(&tenant("one")).is_some());
            assert!(!begun.join().unwrap());
        });
    }

    #[test]
    fn locks_are_taken_in_their_order_and_again_when_they_are_free() {
        let locks = Locks::default();
        for _ in 0..2 {
            let _destruction = locks.destruction(&tenant("one"));
            let _keeping = locks.keeping();
            let _creation = locks.creation();
            let _decision = locks.decision();
            let _requests = locks.requests();
            let _classes = locks.classes();
        }
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "Keeping is taken while")]
    fn another_order_is_found_before_it_can_hang() {
        let locks = Locks::default();
        let _decision = locks.decision();
        let _keeping = locks.keeping();
    }
}
