//! The section's text: one JSON array, written in one way.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Cost, Currency, Ended, Fault, Kind, Metered, Money, Named, Operation, Reason};
use crate::prices::{Amount, Basis, Usage};

const VERSION: u64 = 1;
/// Members of the array that have a meaning.
const MEMBERS: usize = 18;
/// Largest number: every JSON reader keeps it exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;
/// Digits of an amount: those of the largest `i128`.
const AMOUNT_DIGITS: usize = 39;
const DAYS_BEFORE_MAX: u64 = 3;

/// Why a text is not a section `metered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeteredError {
    /// It is no JSON array.
    #[error("not a JSON array")]
    Form,
    /// A later version of Trailkeep wrote it.
    #[error("its version is not 1: use a newer version of trailkeep")]
    Version,
    /// A member is not what the format says.
    #[error("its member {0} does not follow the format")]
    Member(usize),
    /// It says something in other bytes than the format's.
    #[error("not written as the format says")]
    NotCanonical,
}

impl Metered {
    /// The section's text.
    pub fn to_text(&self) -> String {
        let mut list = List::begin();
        list.number(Some(VERSION));
        list.number(Some(self.kind.code()));
        list.named(self.provider);
        list.named(self.model);
        list.number(self.operation.map(Operation::code));
        list.number(self.ended.map(Ended::code));
        list.number(self.fault.map(Fault::code));
        list.numbers(tokens_of(&self.usage));
        list.number(self.basis.map(code_of_basis));
        list.number(self.total_ms);
        list.number(self.first_token_ms);
        list.cost(&self.cost);
        list.named(self.prompt);
        list.number(self.prompt_version.map(u64::from));
        list.number(self.retrieved);
        list.money(self.said.as_ref());
        list.named(self.dimension);
        list.numbers(self.budgets.iter().map(|number| Some(u64::from(*number))));
        list.end()
    }

    /// Reads the section's text.
    ///
    /// # Errors
    /// What is wrong with it: every text that this accepts is one that [`Self::to_text`] writes.
    pub fn read(text: &[u8]) -> Result<Self, MeteredError> {
        let members: Vec<Value> = serde_json::from_slice(text).map_err(|_| MeteredError::Form)?;
        if members.first().and_then(Value::as_u64) != Some(VERSION) {
            return Err(MeteredError::Version);
        }
        if members.len() > MEMBERS {
            return Err(MeteredError::Member(MEMBERS));
        }
        let read = Members(&members).read()?;
        if read.to_text().as_bytes() == text {
            Ok(read)
        } else {
            Err(MeteredError::NotCanonical)
        }
    }
}

/// Tokens in the order of the format.
fn tokens_of(usage: &Usage) -> impl Iterator<Item = Option<u64>> {
    [
        usage.input,
        usage.output,
        usage.cached_input,
        usage.reasoning,
        usage.cache_write,
        usage.cache_write_1h,
        usage.audio_input,
        usage.audio_cached_input,
        usage.audio_output,
    ]
    .into_iter()
}

const fn code_of_basis(basis: Basis) -> u64 {
    match basis {
        Basis::Inclusive => 0,
        Basis::Exclusive => 1,
        Basis::Unknown => 2,
    }
}

/// An array that is being written. Absent members at its end are left out.
struct List {
    text: String,
    /// Members that are absent so far, after the last one that is there.
    absent: usize,
    is_empty: bool,
}

impl List {
    fn begin() -> Self {
        let mut text = String::with_capacity(96);
        text.push('[');
        Self {
            text,
            absent: 0,
            is_empty: true,
        }
    }

    /// The place for a member that is there.
    fn member(&mut self) -> &mut String {
        for _ in 0..std::mem::take(&mut self.absent) {
            self.separate();
            self.text.push_str("null");
        }
        self.separate();
        &mut self.text
    }

    fn text_of(&mut self, text: std::fmt::Arguments<'_>) {
        // A String takes all that is written to it.
        let _ = self.member().write_fmt(text);
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_empty) {
            self.text.push(',');
        }
    }

    fn number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.text_of(format_args!("{number}")),
            None => self.absent += 1,
        }
    }

    fn named(&mut self, named: Named) {
        self.number(match named {
            Named::Absent => None,
            Named::Other => Some(0),
            Named::Number(number) => Some(u64::from(number)),
        });
    }

    fn numbers(&mut self, numbers: impl Iterator<Item = Option<u64>>) {
        let mut inner = Self::begin();
        numbers.for_each(|number| inner.number(number));
        if inner.is_empty {
            self.absent += 1;
        } else {
            let inner = inner.end();
            self.member().push_str(&inner);
        }
    }

    fn money(&mut self, money: Option<&Money>) {
        match money {
            Some(money) => {
                let mut inner = Self::begin();
                inner.amount(money);
                let inner = inner.end();
                self.member().push_str(&inner);
            }
            None => self.absent += 1,
        }
    }

    /// Two members: amount and currency.
    fn amount(&mut self, money: &Money) {
        self.text_of(format_args!("\"{}\"", money.amount.trillionths()));
        self.text_of(format_args!("\"{}\"", money.currency.as_str()));
    }

    fn cost(&mut self, cost: &Cost) {
        let (money, source) = match cost {
            Cost::None => return self.number(None),
            Cost::Unpriced(reason) => return self.number(Some(reason.code())),
            Cost::Provider(money) => (money, 1),
            Cost::Table { money, .. } => (money, 2),
            Cost::Producer(money) => (money, 3),
            Cost::Difference(money) => (money, 4),
        };
        let mut inner = Self::begin();
        inner.amount(money);
        inner.number(Some(source));
        if let Cost::Table {
            table,
            place,
            days_before,
            ..
        } = cost
        {
            inner.number(Some(u64::from(*table)));
            inner.number(Some(u64::from(*place)));
            inner.number(Some(u64::from(*days_before)).filter(|days| *days > 0));
        }
        let inner = inner.end();
        self.member().push_str(&inner);
    }

    fn end(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

/// The members of an array that is read.
struct Members<'a>(&'a [Value]);

impl Members<'_> {
    fn read(&self) -> Result<Metered, MeteredError> {
        let must = |place: usize| MeteredError::Member(place);
        Ok(Metered {
            kind: self.coded(1, Kind::of_code)?.ok_or(must(1))?,
            provider: self.named(2)?,
            model: self.named(3)?,
            operation: self.coded(4, Operation::of_code)?,
            ended: self.coded(5, Ended::of_code)?,
            fault: self.coded(6, Fault::of_code)?,
            usage: self.usage(7)?,
            basis: self.coded(8, |code| match code {
                0 => Some(Basis::Inclusive),
                1 => Some(Basis::Exclusive),
                2 => Some(Basis::Unknown),
                _ => None,
            })?,
            total_ms: self.number(9)?,
            first_token_ms: self.number(10)?,
            cost: self.cost(11)?,
            prompt: self.named(12)?,
            prompt_version: self.narrow(13)?,
            retrieved: self.number(14)?,
            said: match self.at(15) {
                Value::Null => None,
                money => Some(money_of(money.as_array().map(Vec::as_slice), 2).ok_or(must(15))?),
            },
            dimension: self.named(16)?,
            budgets: self.budgets(17)?,
        })
    }

    fn at(&self, place: usize) -> &Value {
        self.0.get(place).unwrap_or(&Value::Null)
    }

    fn number(&self, place: usize) -> Result<Option<u64>, MeteredError> {
        number_of(self.at(place), place)
    }

    fn narrow(&self, place: usize) -> Result<Option<u32>, MeteredError> {
        let number = self.number(place)?;
        let narrow = number.map(u32::try_from).transpose();
        narrow.map_err(|_| MeteredError::Member(place))
    }

    fn named(&self, place: usize) -> Result<Named, MeteredError> {
        Ok(match self.narrow(place)? {
            None => Named::Absent,
            Some(0) => Named::Other,
            Some(number) => Named::Number(number),
        })
    }

    fn coded<T>(
        &self,
        place: usize,
        of_code: impl Fn(u64) -> Option<T>,
    ) -> Result<Option<T>, MeteredError> {
        let Some(code) = self.number(place)? else {
            return Ok(None);
        };
        of_code(code).map(Some).ok_or(MeteredError::Member(place))
    }

    fn usage(&self, place: usize) -> Result<Usage, MeteredError> {
        let bad = MeteredError::Member(place);
        let counts = match self.at(place) {
            Value::Null => &[],
            value => value.as_array().ok_or(bad)?.as_slice(),
        };
        let count = |at: usize| match counts.get(at) {
            None => Ok(None),
            Some(value) => number_of(value, place),
        };
        Ok(Usage {
            input: count(0)?,
            output: count(1)?,
            cached_input: count(2)?,
            reasoning: count(3)?,
            cache_write: count(4)?,
            cache_write_1h: count(5)?,
            audio_input: count(6)?,
            audio_cached_input: count(7)?,
            audio_output: count(8)?,
        })
    }

    fn cost(&self, place: usize) -> Result<Cost, MeteredError> {
        let bad = MeteredError::Member(place);
        let list = match self.at(place) {
            Value::Null => return Ok(Cost::None),
            Value::Number(code) => {
                let reason = code.as_u64().and_then(Reason::of_code);
                return reason.map(Cost::Unpriced).ok_or(bad);
            }
            Value::Array(list) => list,
            _ => return Err(bad),
        };
        let money = money_of(Some(list), 6).ok_or(bad)?;
        let number = |at: usize| list.get(at).and_then(Value::as_u64);
        let narrow = |at: usize| number(at).and_then(|number| u32::try_from(number).ok());
        Ok(match number(2).ok_or(bad)? {
            1 => Cost::Provider(money),
            2 => Cost::Table {
                money,
                table: narrow(3).ok_or(bad)?,
                place: narrow(4).ok_or(bad)?,
                days_before: number(5)
                    .map_or(Some(0), |days| {
                        u8::try_from(days).ok().filter(|_| days <= DAYS_BEFORE_MAX)
                    })
                    .ok_or(bad)?,
            },
            3 => Cost::Producer(money),
            4 => Cost::Difference(money),
            _ => return Err(bad),
        })
    }

    fn budgets(&self, place: usize) -> Result<Vec<u32>, MeteredError> {
        let bad = MeteredError::Member(place);
        let list = match self.at(place) {
            Value::Null => return Ok(Vec::new()),
            value => value.as_array().ok_or(bad)?,
        };
        let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let numbers: Option<Vec<u32>> = list.iter().map(number).collect();
        let numbers = numbers.ok_or(bad)?;
        if numbers.is_sorted_by(|one, next| one < next) {
            Ok(numbers)
        } else {
            Err(bad)
        }
    }
}

/// A number that every reader keeps exactly, or none; of the member at a place.
fn number_of(value: &Value, place: usize) -> Result<Option<u64>, MeteredError> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_u64().filter(|number| *number <= NUMBER_MAX);
    number.map(Some).ok_or(MeteredError::Member(place))
}

fn money_of(list: Option<&[Value]>, most: usize) -> Option<Money> {
    let list = list.filter(|list| list.len() <= most)?;
    let digits = list.first()?.as_str()?;
    let is_number = digits.len() <= AMOUNT_DIGITS && digits.bytes().all(|at| at.is_ascii_digit());
    let amount: u128 = digits.parse().ok().filter(|_| is_number)?;
    i128::try_from(amount).ok()?;
    Some(Money {
        amount: Amount::of_trillionths(amount),
        currency: Currency::parse(list.get(1)?.as_str()?)?,
    })
}
