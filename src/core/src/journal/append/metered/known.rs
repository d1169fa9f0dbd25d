//! What is counted already of the call that a later report belongs to. It is asked for only where a call came in parts.

use super::call::{Llm, Tokens};
use crate::journal::Journal;
use crate::journal::append::{AppendError, Incoming};
use crate::journal::read::{ReadError, StoredEvent, open_event};
use crate::tenant::ledger::Ledger;
use trailkeep_crypto::secret::TagLabel;
use trailkeep_otlp::late::EVENT_TARGET;
use trailkeep_proof::ids::{LookupKey, Seq};
use trailkeep_proof::metered::{Cost, Kind, METERED, Metered, Money, Operation};
use trailkeep_proof::prices::{Amount, Usage};

/// Later reports of one call that are looked at.
const REPORTS_MAX: usize = 64;

/// What the reports of a call that are recorded count together.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Whether the first one counts as a call, or did before there were sections `metered`.
    pub(super) is_call: bool,
    usage: Usage,
    cost: Option<Money>,
    /// Kind of call, as the first one says it.
    pub(super) operation: Option<Operation>,
    /// Names that the first one has.
    pub(super) provider: Option<String>,
    pub(super) models: Vec<String>,
}

/// Reads what is counted of the call that a report belongs to.
pub(super) fn counted(
    journal: &Journal,
    ledger: &Ledger,
    report: &Incoming,
) -> Result<Counted, AppendError> {
    let mut targets = report.event.facts().targets.iter();
    let Some(first) = targets.find(|target| target.kind == EVENT_TARGET) else {
        return Ok(Counted::default());
    };
    let key =
        |label, namespace: &str| LookupKey::from(ledger.index_key.tag(label, namespace, &first.id));
    let mut all = Counted::default();
    for event in read(journal, ledger, key(TagLabel::EventId, ""), 1)? {
        let llm = Llm::of(event.section("llm"));
        if let Some(Ok(metered)) = event.section(METERED).map(Metered::read) {
            all.is_call = metered.calls() > 0;
            all.operation = metered.operation;
            all.add(&metered);
        } else {
            // It was counted before the section existed, or by a later version.
            all.is_call = !llm.is_empty();
            all.usage = llm.usage.as_ref().map(Tokens::usage).unwrap_or_default();
        }
        all.models.extend(llm.response_model);
        all.models.extend(llm.request_model);
        all.provider = llm.provider;
    }
    for event in read(
        journal,
        ledger,
        key(TagLabel::Target, EVENT_TARGET),
        REPORTS_MAX,
    )? {
        // A report that contradicts the first one names it, too, and is a call by itself.
        if let Some(Ok(metered)) = event.section(METERED).map(Metered::read)
            && matches!(metered.kind, Kind::Late | Kind::Duplicate)
        {
            all.add(&metered);
        }
    }
    Ok(all)
}

/// The events of a key that can be read; what went is counted no more.
fn read(
    journal: &Journal,
    ledger: &Ledger,
    key: LookupKey,
    limit: usize,
) -> Result<Vec<StoredEvent>, AppendError> {
    let number = ledger.record.number;
    let found = journal
        .index
        .find(number, key, Seq::new(0), Seq::MAX, limit)?;
    let mut events = Vec::with_capacity(found.len());
    for seq in found {
        match open_event(journal, ledger, seq) {
            Ok(event) => events.push(event),
            Err(
                ReadError::Deleted { .. }
                | ReadError::PayloadMissing(_)
                | ReadError::Key { .. }
                | ReadError::NotFound,
            ) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(events)
}

impl Counted {
    fn add(&mut self, metered: &Metered) {
        let (known, more) = (&mut self.usage, &metered.usage);
        for (known, more) in [
            (&mut known.input, more.input),
            (&mut known.cached_input, more.cached_input),
            (&mut known.cache_write, more.cache_write),
            (&mut known.cache_write_1h, more.cache_write_1h),
            (&mut known.output, more.output),
            (&mut known.reasoning, more.reasoning),
            (&mut known.audio_input, more.audio_input),
            (&mut known.audio_cached_input, more.audio_cached_input),
            (&mut known.audio_output, more.audio_output),
        ] {
            *known = match (*known, more) {
                (Some(known), Some(more)) => Some(known.saturating_add(more)),
                (known, more) => known.or(more),
            };
        }
        let Some(money) = metered.cost.money() else {
            return;
        };
        self.cost = match self.cost {
            None => Some(*money),
            Some(known) if known.currency == money.currency => Some(Money {
                amount: known
                    .amount
                    .checked_add(money.amount)
                    .unwrap_or(known.amount),
                ..known
            }),
            Some(known) => Some(known),
        };
    }

    /// The tokens of a report beyond those that are counted.
    pub(super) fn beyond(&self, usage: &Usage) -> Usage {
        let more = |said: Option<u64>, known: Option<u64>| {
            let more = said?.saturating_sub(known.unwrap_or(0));
            // What is said for the first time is said, also where it is 0.
            (more > 0 || known.is_none()).then_some(more)
        };
        let known = &self.usage;
        Usage {
            input: more(usage.input, known.input),
            cached_input: more(usage.cached_input, known.cached_input),
            cache_write: more(usage.cache_write, known.cache_write),
            cache_write_1h: more(usage.cache_write_1h, known.cache_write_1h),
            output: more(usage.output, known.output),
            reasoning: more(usage.reasoning, known.reasoning),
            audio_input: more(usage.audio_input, known.audio_input),
            audio_cached_input: more(usage.audio_cached_input, known.audio_cached_input),
            audio_output: more(usage.audio_output, known.audio_output),
        }
    }

    /// The cost of a report beyond that which is counted. `is_whole`: all of its tokens are new.
    pub(super) fn beyond_cost(&self, cost: Cost, is_whole: bool) -> Cost {
        let Some(money) = cost.money() else {
            return Cost::None;
        };
        let known = match self.cost {
            None if is_whole => return cost,
            None => Amount::default(),
            Some(known) if known.currency == money.currency => known.amount,
            // Currencies are not added, and not subtracted either.
            Some(_) => return Cost::None,
        };
        let more = money
            .amount
            .trillionths()
            .saturating_sub(known.trillionths());
        if more == 0 {
            return Cost::None;
        }
        Cost::Difference(Money {
            amount: Amount::of_trillionths(more),
            ..*money
        })
    }
}
