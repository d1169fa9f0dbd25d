//! The cost of an event, and whether a verifier computes the same one.

use super::{Currency, Metered, Money};
use crate::prices::{Amount, Call, PriceTable, Unpriced, cost_by, find};
use crate::privacy::Day;

/// What an event cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// It has none of its own: a tool, a report that adds nothing, a call that failed before it used a token.
    None,
    /// No price could be found. It never counts as 0.
    Unpriced(Reason),
    /// The provider said it, with the answer.
    Provider(Money),
    /// By a price table of the ledger.
    Table {
        /// The cost.
        money: Money,
        /// Number of the table.
        table: u32,
        /// Place of the price in the table, from 0.
        place: u32,
        /// How many days before the entry the call was: 0 to 3. The price is that of the call's day.
        days_before: u8,
    },
    /// The producer said it, and no table has a price.
    Producer(Money),
    /// What a later report of a call adds to the cost that is counted already.
    Difference(Money),
}

impl Cost {
    /// The money that counts.
    pub const fn money(&self) -> Option<&Money> {
        match self {
            Self::None | Self::Unpriced(_) => None,
            Self::Provider(money)
            | Self::Table { money, .. }
            | Self::Producer(money)
            | Self::Difference(money) => Some(money),
        }
    }
}

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is the code of `prices::Unpriced` of its name"
)]
pub enum Reason {
    Provider,
    Model,
    ServiceTier,
    Region,
    Day,
    NotReported,
    Inconsistent,
    Basis,
    Component,
    TooMany,
}

impl Reason {
    /// Each, in the order of their numbers, which begin at 1.
    pub const ALL: [Self; 10] = [
        Self::Provider,
        Self::Model,
        Self::ServiceTier,
        Self::Region,
        Self::Day,
        Self::NotReported,
        Self::Inconsistent,
        Self::Basis,
        Self::Component,
        Self::TooMany,
    ];

    /// Its word, as [`Unpriced::code`] has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provider => "unknown-provider",
            Self::Model => "unknown-model",
            Self::ServiceTier => "unknown-service-tier",
            Self::Region => "unknown-region",
            Self::Day => "no-price-on-day",
            Self::NotReported => "not-reported",
            Self::Inconsistent => "inconsistent-usage",
            Self::Basis => "unknown-basis",
            Self::Component => "no-price-for-tokens",
            Self::TooMany => "too-many-tokens",
        }
    }

    pub(super) const fn code(self) -> u64 {
        self as u64 + 1
    }

    pub(super) fn of_code(code: u64) -> Option<Self> {
        let place = usize::try_from(code).ok()?.checked_sub(1)?;
        Self::ALL.get(place).copied()
    }
}

impl From<&Unpriced> for Reason {
    fn from(unpriced: &Unpriced) -> Self {
        match unpriced {
            Unpriced::Provider => Self::Provider,
            Unpriced::Model => Self::Model,
            Unpriced::ServiceTier => Self::ServiceTier,
            Unpriced::Region => Self::Region,
            Unpriced::Day => Self::Day,
            Unpriced::NotReported(_) => Self::NotReported,
            Unpriced::Inconsistent { .. } => Self::Inconsistent,
            Unpriced::Basis => Self::Basis,
            Unpriced::Component(_) => Self::Component,
            Unpriced::TooMany => Self::TooMany,
        }
    }
}

/// What a verifier finds of a cost by a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recomputed {
    /// The table and the tokens give this cost.
    Same,
    /// They give another one; absent: none.
    Other(Option<Amount>),
    /// The price is not the one that the table has for this provider, model and day.
    OtherPrice,
}

/// Computes a cost by a table again. `names` are provider and model as their statements say them, `recorded_on` is the day of the
/// entry. Costs that are not by a table are [`Recomputed::Same`].
pub fn recompute(
    metered: &Metered,
    stated: &PriceTable,
    (provider, model): (&str, &str),
    recorded_on: Day,
) -> Recomputed {
    let Cost::Table {
        money,
        place,
        days_before,
        ..
    } = metered.cost
    else {
        return Recomputed::Same;
    };
    let at = usize::try_from(place).unwrap_or(usize::MAX);
    let (Some(price), Some(day)) = (
        stated.prices().get(at),
        recorded_on.minus_days(u64::from(days_before)),
    ) else {
        return Recomputed::OtherPrice;
    };
    let Some(basis) = metered.basis else {
        return Recomputed::Other(None);
    };
    let call = Call {
        provider,
        model,
        day,
        service_tier: price.service_tier.as_deref(),
        region: price.region.as_deref(),
        usage: metered.usage,
        basis,
    };
    let is_named = price.model.iter().any(|pattern| pattern.as_str() == model);
    let is_found = find(stated, &call).is_ok_and(|(found, _)| found == at);
    let is_of_it = price.provider == provider && price.holds_on(day) && (is_named || is_found);
    if !is_of_it || Currency::parse(&price.currency) != Some(money.currency) {
        return Recomputed::OtherPrice;
    }
    match cost_by(price, &metered.usage, basis) {
        Ok((amount, _)) if amount == money.amount => Recomputed::Same,
        Ok((amount, _)) => Recomputed::Other(Some(amount)),
        Err(_) => Recomputed::Other(None),
    }
}
