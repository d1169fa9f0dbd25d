//! Plain rows, as they go into a store and come out of it.

pub(crate) mod inbox;
pub(crate) mod ledger;
pub(crate) mod sealed;
pub(crate) mod statement;
pub(crate) mod vault;
