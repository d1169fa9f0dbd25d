//! The stores as the domain holds them: each in whatever engine, and nothing of the engine to be seen.

use std::ops::Deref;
use std::sync::Arc;

use crate::{InboxStore, LedgerStore, VaultStore};

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $store:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<dyn $store>);

        impl $name {
            /// Over a store.
            pub fn new(store: impl $store + 'static) -> Self {
                Self(Arc::new(store))
            }
        }

        impl Deref for $name {
            type Target = dyn $store;

            fn deref(&self) -> &Self::Target {
                &*self.0
            }
        }
    };
}

handle!(
    /// The ledgers of a data directory.
    Ledgers,
    LedgerStore
);
handle!(
    /// The vault of a data directory.
    Vault,
    VaultStore
);
handle!(
    /// The inbox of a data directory.
    Staging,
    InboxStore
);
