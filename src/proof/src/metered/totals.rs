//! Sums of sections `metered`: what figures show, and what a verifier computes again.

use std::collections::BTreeMap;

use super::{Cost, Currency, Ended, Fault, Histogram, Kind, Metered, Operation, Reason};
use crate::prices::{Amount, Usage};

/// Sums of some events. Sums of whatever order and grouping are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls.
    pub calls: u64,
    /// Calls that failed, by what went wrong.
    pub errors: BTreeMap<Fault, u64>,
    /// Tokens, as they were reported; what was not reported is 0.
    pub tokens: Tokens,
    /// Costs. Currencies are never added.
    pub cost: BTreeMap<Currency, Amount>,
    /// Calls without a price, by the reason.
    pub unpriced: BTreeMap<Reason, u64>,
    /// Calls that were recorded before there were sections `metered`, or by a later version.
    pub unmetered: u64,
    /// Calls for which documents were fetched.
    pub retrievals: u64,
    /// Documents that were fetched.
    pub retrieved: u64,
    /// Retrievals that fetched nothing.
    pub empty_retrievals: u64,
    /// Executions of tools.
    pub tools: u64,
    /// Of these, those that failed.
    pub tool_failures: u64,
    /// Milliseconds to the end of the answer.
    pub latency_ms: Histogram,
    /// Milliseconds to its first part.
    pub first_token_ms: Histogram,
}

/// Sums of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the count of `prices::Usage` of its name"
)]
pub struct Tokens {
    pub input: u64,
    pub cached_input: u64,
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub output: u64,
    pub reasoning: u64,
    pub audio_input: u64,
    pub audio_cached_input: u64,
    pub audio_output: u64,
}

impl Totals {
    /// Adds what is counted of an event.
    pub fn add(&mut self, metered: &Metered) {
        match metered.kind {
            Kind::Tool => {
                self.tools += 1;
                let has_failed = matches!(metered.ended, Some(Ended::Error | Ended::Failure));
                self.tool_failures += u64::from(has_failed);
                return;
            }
            Kind::Call => self.add_call(metered),
            // A denied call was not made. What it would have cost is the budget's matter.
            Kind::Denied => return,
            Kind::Late | Kind::Duplicate => {}
        }
        self.tokens.add(&metered.usage);
        if let Some(money) = metered.cost.money() {
            let sum = self.cost.entry(money.currency).or_default();
            // Sums of amounts that fit a section stay far below the limit; one that does not stays at it.
            let limit = Amount::of_trillionths(i128::MAX.unsigned_abs());
            *sum = sum.checked_add(money.amount).unwrap_or(limit);
        }
        metered
            .first_token_ms
            .into_iter()
            .for_each(|ms| self.first_token_ms.add(ms));
    }

    fn add_call(&mut self, metered: &Metered) {
        self.calls += 1;
        if let Some(fault) = metered.fault {
            *self.errors.entry(fault).or_default() += 1;
        }
        if let Cost::Unpriced(reason) = metered.cost {
            *self.unpriced.entry(reason).or_default() += 1;
        }
        if let Some(documents) = metered.retrieved {
            self.retrievals += 1;
            self.retrieved = self.retrieved.saturating_add(documents);
            self.empty_retrievals += u64::from(documents == 0);
        }
        metered
            .total_ms
            .into_iter()
            .for_each(|ms| self.latency_ms.add(ms));
    }

    /// Adds the sums of other events.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        for (fault, count) in &other.errors {
            *self.errors.entry(*fault).or_default() += count;
        }
        self.tokens.merge(&other.tokens);
        for (currency, amount) in &other.cost {
            let sum = self.cost.entry(*currency).or_default();
            let limit = Amount::of_trillionths(i128::MAX.unsigned_abs());
            *sum = sum.checked_add(*amount).unwrap_or(limit);
        }
        for (reason, count) in &other.unpriced {
            *self.unpriced.entry(*reason).or_default() += count;
        }
        self.unmetered += other.unmetered;
        self.retrievals += other.retrievals;
        self.retrieved = self.retrieved.saturating_add(other.retrieved);
        self.empty_retrievals += other.empty_retrievals;
        self.tools += other.tools;
        self.tool_failures += other.tool_failures;
        self.latency_ms.merge(&other.latency_ms);
        self.first_token_ms.merge(&other.first_token_ms);
    }

    /// Calls without a price.
    pub fn unpriced_calls(&self) -> u64 {
        self.unpriced.values().sum()
    }
}

impl Tokens {
    fn add(&mut self, usage: &Usage) {
        let known = |count: Option<u64>| count.unwrap_or(0);
        self.merge(&Self {
            input: known(usage.input),
            cached_input: known(usage.cached_input),
            cache_write: known(usage.cache_write),
            cache_write_1h: known(usage.cache_write_1h),
            output: known(usage.output),
            reasoning: known(usage.reasoning),
            audio_input: known(usage.audio_input),
            audio_cached_input: known(usage.audio_cached_input),
            audio_output: known(usage.audio_output),
        });
    }

    fn merge(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.input, more.input),
            (&mut self.cached_input, more.cached_input),
            (&mut self.cache_write, more.cache_write),
            (&mut self.cache_write_1h, more.cache_write_1h),
            (&mut self.output, more.output),
            (&mut self.reasoning, more.reasoning),
            (&mut self.audio_input, more.audio_input),
            (&mut self.audio_cached_input, more.audio_cached_input),
            (&mut self.audio_output, more.audio_output),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// By what sums are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the member of `Metered` of its name")]
pub struct CellKey {
    pub provider: super::Named,
    pub model: super::Named,
    pub prompt: super::Named,
    pub prompt_version: Option<u32>,
    pub operation: Option<Operation>,
    pub ended: Option<Ended>,
    pub dimension: super::Named,
}

impl CellKey {
    /// That of an event.
    pub const fn of(metered: &Metered) -> Self {
        Self {
            provider: metered.provider,
            model: metered.model,
            prompt: metered.prompt,
            prompt_version: metered.prompt_version,
            operation: metered.operation,
            ended: metered.ended,
            dimension: metered.dimension,
        }
    }
}
