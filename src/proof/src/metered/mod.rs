//! Section `metered`: what the figures count of an event (docs/format.md, "Metered").
//!
//! The server writes it before the event is encrypted, and it never changes afterwards. It holds numbers alone: names of
//! providers, models and prompts stand in statements, and a name that is not registered is [`Named::Other`]. So a verifier can
//! recompute figures and costs from this one section, and sees nothing else of the event.

mod cost;
mod histogram;
mod text;
mod totals;
mod words;

pub use cost::{Cost, Reason, Recomputed, recompute};
pub use histogram::{Histogram, bucket_of, middle_of};
pub use text::MeteredError;
pub use totals::{CellKey, Tokens, Totals};
pub use words::{Ended, Fault, Kind, Named, Operation};

use crate::prices::{Amount, Basis, Usage};

pub use crate::ledger::event::shape::METERED;

/// What is counted of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// As what it counts.
    pub kind: Kind,
    /// Who served the call.
    pub provider: Named,
    /// The model, by a registered name or by the pattern of the price table that its name fits.
    pub model: Named,
    /// Kind of call; none for tools.
    pub operation: Option<Operation>,
    /// How it ended, where that was said.
    pub ended: Option<Ended>,
    /// What went wrong.
    pub fault: Option<Fault>,
    /// Tokens as they were reported.
    pub usage: Usage,
    /// What the reported input tokens count; none without tokens.
    pub basis: Option<Basis>,
    /// Milliseconds from the request to the end of the answer.
    pub total_ms: Option<u64>,
    /// Milliseconds from the request to the first part of the answer.
    pub first_token_ms: Option<u64>,
    /// What it cost.
    pub cost: Cost,
    /// The prompt template.
    pub prompt: Named,
    /// Its registered version.
    pub prompt_version: Option<u32>,
    /// Documents that were fetched for the model; none where no retrieval was reported.
    pub retrieved: Option<u64>,
    /// What its producer says that it cost, where that is not the cost that counts.
    pub said: Option<Money>,
    /// The value of the tenant's registered dimension.
    pub dimension: Named,
    /// Numbers of the budgets that it counts against, ascending.
    pub budgets: Vec<u32>,
}

impl Metered {
    /// One of a kind, of which nothing else is known.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            provider: Named::Absent,
            model: Named::Absent,
            operation: None,
            ended: None,
            fault: None,
            usage: Usage::default(),
            basis: None,
            total_ms: None,
            first_token_ms: None,
            cost: Cost::None,
            prompt: Named::Absent,
            prompt_version: None,
            retrieved: None,
            said: None,
            dimension: Named::Absent,
            budgets: Vec::new(),
        }
    }

    /// How many calls it counts as.
    pub const fn calls(&self) -> u64 {
        matches!(self.kind, Kind::Call) as u64
    }
}

/// An amount in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// The amount.
    pub amount: Amount,
    /// Its currency.
    pub currency: Currency,
}

/// ISO 4217 code: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code of a text.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
