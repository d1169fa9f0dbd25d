//! Prices of model calls: a dated table as plain data, and the cost of one call by it.
//!
//! A verifier recomputes each cost from the tokens and the table that the ledger states, so everything here is integers and
//! nothing is rounded (docs/format.md, "Price table"). A call that the table does not price is [`Unpriced`]; it never costs 0.

mod amount;
mod call;
mod pattern;
mod table;

pub use amount::{Amount, DecimalError, FxRate, Rate, scaled};
pub use call::{
    Basis, Call, Component, Priced, Unpriced, Usage, closest_pattern, cost_by, find, price,
};
pub use pattern::ModelPattern;
pub use table::{
    Fx, Place, Price, PriceTable, Rates, TABLE_BYTES_MAX, TableFault, TableReadError, Tier, TierBy,
    Unit, Verified,
};
