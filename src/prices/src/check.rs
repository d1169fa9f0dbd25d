//! What a price file should not say: faults, and warnings about its age.

use std::collections::BTreeMap;

use trailkeep_proof::prices::{
    Basis, Call, Component, ModelPattern, Price, PriceTable, Rates, Usage, find,
};
use trailkeep_proof::privacy::Day;

use crate::read::{Finding, PriceFile, read};

/// A price that is this many times another of the same model is taken for a mistake, such as a price of one token.
const FACTOR_MAX: u64 = 100;
/// Prices that nobody looked at for longer than this are pointed out.
const AGE_DAYS_MAX: u64 = 30;

/// What was found in a file.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The file, where it has the form of one.
    pub file: Option<PriceFile>,
    /// Why it can't be used.
    pub findings: Vec<Finding>,
    /// What a person should look at; the file can be used all the same.
    pub warnings: Vec<Finding>,
}

/// Reads and checks a file. `earlier` are the prices that it comes after: those in force, or the shipped ones.
pub fn check(text: &str, today: Day, earlier: Option<&PriceTable>) -> Checked {
    let file = match read(text) {
        Ok(file) => file,
        Err(findings) => {
            return Checked {
                file: None,
                findings,
                warnings: Vec::new(),
            };
        }
    };
    let mut findings = leaps_within(&file);
    if let Some(earlier) = earlier {
        // One leap is told once.
        let mut from_earlier = leaps_from(&file, earlier);
        from_earlier.retain(|leap| !findings.iter().any(|found| found.line == leap.line));
        findings.append(&mut from_earlier);
    }
    findings.sort_by_key(|finding| finding.line);
    Checked {
        warnings: ages(&file, today),
        file: Some(file),
        findings,
    }
}

/// Prices of one model in the file that follow each other in time.
fn leaps_within(file: &PriceFile) -> Vec<Finding> {
    let mut of_same: BTreeMap<_, Vec<(Option<Day>, usize, &Price)>> = BTreeMap::new();
    for (line, price) in &file.lines {
        for model in &price.model {
            let key = (&price.provider, model, &price.service_tier, &price.region);
            of_same
                .entry(key)
                .or_default()
                .push((price.from, *line, price));
        }
    }
    let mut findings = Vec::new();
    for ((_, model, ..), mut prices) in of_same {
        prices.sort_unstable_by_key(|(from, line, _)| (*from, *line));
        let pairs = prices.iter().zip(prices.iter().skip(1));
        for ((.., before), (_, line, after)) in pairs {
            findings.extend(leap(model, before, after, *line, "the price before"));
        }
    }
    findings
}

/// Prices that are far off those of another table.
fn leaps_from(file: &PriceFile, earlier: &PriceTable) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, price) in &file.lines {
        for model in &price.model {
            let day = price.from.unwrap_or(file.table.dated());
            if let Some(before) = price_in(earlier, price, model, day) {
                findings.extend(leap(model, before, price, *line, "the price in force"));
            }
        }
    }
    findings
}

/// The price that another table has of the same models.
fn price_in<'a>(
    table: &'a PriceTable,
    price: &Price,
    model: &ModelPattern,
    day: Day,
) -> Option<&'a Price> {
    if model.is_exact() {
        let call = Call {
            provider: &price.provider,
            model: model.as_str(),
            day,
            service_tier: price.service_tier.as_deref(),
            region: price.region.as_deref(),
            usage: Usage::default(),
            basis: Basis::Unknown,
        };
        return find(table, &call).ok().map(|(_, found)| found);
    }
    let provider = table.provider(&price.provider);
    table.prices().iter().find(|found| {
        found.provider == provider
            && found.model.contains(model)
            && found.service_tier == price.service_tier
            && found.region == price.region
            && found.holds_on(day)
    })
}

fn leap(
    model: &ModelPattern,
    before: &Price,
    after: &Price,
    line: usize,
    than: &str,
) -> Option<Finding> {
    if before.currency != after.currency {
        return None;
    }
    let tier = |price: &Price, above: u64| {
        let found = price.tiers.iter().find(|tier| tier.above == above);
        found.map(|tier| tier.rates.clone())
    };
    let tiers = after.tiers.iter().filter_map(|after| {
        let before = tier(before, after.above)?;
        leaping(&before, &after.rates)
    });
    let (component, old, new) = leaping(&before.rates, &after.rates)
        .into_iter()
        .chain(tiers)
        .next()?;
    Some(Finding {
        line,
        rule: "leap",
        problem: format!(
            "{} {model}: `{component}` is {new}, and {than} is {old}: 100 times off",
            after.provider
        ),
        remedy: "write the price of a million tokens; the price of one token is times 1,000,000"
            .to_owned(),
    })
}

/// The first component whose price changes by the factor or more. A price that is 0 before or after is not a leap: a 0 is
/// always written on purpose.
fn leaping(before: &Rates, after: &Rates) -> Option<(Component, String, String)> {
    before.each().find_map(|(component, old)| {
        let new = after.of(component)?;
        let (low, high) = (old.min(new).per_token(), old.max(new).per_token());
        let is_leap = low > 0 && high / FACTOR_MAX >= low;
        is_leap.then(|| (component, old.to_string(), new.to_string()))
    })
}

fn ages(file: &PriceFile, today: Day) -> Vec<Finding> {
    let mut warnings = Vec::new();
    let dated = file.table.dated();
    let age = today.days_after(dated);
    let mut warn = |line, problem: String, remedy: &str| {
        warnings.push(Finding {
            line,
            rule: "age",
            problem,
            remedy: remedy.to_owned(),
        });
    };
    if age > AGE_DAYS_MAX {
        let remedy = "compare it with the providers' pages, or import a newer package";
        warn(1, format!("the table is {age} days old"), remedy);
    }
    if dated > today {
        let problem = format!("the table is dated {dated}, which is after today");
        warn(1, problem, "check the date, and this machine's clock");
    }
    let read_long_ago = |price: &Price| {
        price
            .verified_on
            .is_some_and(|on| today.days_after(on) > AGE_DAYS_MAX)
    };
    let old: Vec<usize> = file
        .lines
        .iter()
        .filter(|(_, price)| read_long_ago(price))
        .map(|(line, _)| *line)
        .collect();
    if let Some(first) = old.first() {
        let problem = format!(
            "{} prices were read from their page over 30 days ago",
            old.len()
        );
        warn(
            *first,
            problem,
            "read the pages again and change `verified_on`",
        );
    }
    warnings
}

#[cfg(test)]
mod tests;
